#include "worker/secret.hpp"

#include "core/failure.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace automation::worker {

namespace {

constexpr std::size_t longest_secret = std::size_t{64} * 1024;

class File {
public:
	explicit File(int descriptor) : descriptor_(descriptor) {}
	~File()
	{
		if (descriptor_ >= 0)
			close(descriptor_);
	}
	File(const File &) = delete;
	File &operator=(const File &) = delete;
	int descriptor() const { return descriptor_; }
	bool is_open() const { return descriptor_ >= 0; }

private:
	int descriptor_;
};

[[noreturn]] void fail_to_open(const std::string &name)
{
	throw core::Failure("58P01",
		fmt::format(
			"could not open secret \"{}\": {}", name, std::generic_category().message(errno)));
}

void check_access(const File &file, const std::string &name)
{
	struct stat status;
	if (fstat(file.descriptor(), &status) != 0)
		fail_to_open(name);
	if (!S_ISREG(status.st_mode))
		throw core::Failure("42809", fmt::format("secret \"{}\" is not a regular file", name));
	if (status.st_uid != geteuid() && status.st_uid != 0)
		throw core::Failure("42501",
			fmt::format("secret file \"{}\" must be owned by the server's user or root", name));
	if (status.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO))
		throw core::Failure("42501",
			fmt::format("secret file \"{}\" has group or world access", name),
			{.hint = "Its permissions should be u=rw (0600), or u=rw,g=r (0640)."});
}

} // namespace

std::string read_secret(
	const std::string &directory, const std::string &host, const std::string &name)
{
	const std::string path = host + "/" + name;
	if (directory.empty())
		throw core::Failure("55000",
			fmt::format("could not open secret \"{}\": no directory", path),
			{.hint = "Set pg_automation.secrets_dir."});
	const int folder_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	const File folder(open(fmt::format("{}/{}", directory, host).c_str(), folder_flags));
	if (!folder.is_open())
		fail_to_open(path);
	// A name that is a link, or a pipe that would keep us waiting, is not taken.
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	const File file(openat(folder.descriptor(), name.c_str(), flags));
	if (!file.is_open())
		fail_to_open(path);
	check_access(file, path);

	std::string secret(longest_secret, '\0');
	const ssize_t length = read(file.descriptor(), secret.data(), secret.size());
	if (length < 0)
		fail_to_open(path);
	secret.resize(static_cast<std::size_t>(length));
	while (secret.ends_with('\n') || secret.ends_with('\r'))
		secret.pop_back();
	return secret;
}

} // namespace automation::worker
