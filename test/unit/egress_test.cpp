// What libcurl really connects to, under a policy: every spelling of an inner address, and a name
// whose name server changes its mind between the look and the call.
#include "transfers.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <atomic>
#include <cstring>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace automation;
using std::chrono::milliseconds;

namespace {

// What the name server says of rebind.example, one line after the other.
std::vector<std::vector<std::string>> answers;
std::size_t asked = 0;

int resolve(const char *name, const char *service, const addrinfo *hints, addrinfo **result)
{
	using Resolve = int (*)(const char *, const char *, const addrinfo *, addrinfo **);
	static const auto real = reinterpret_cast<Resolve>(dlsym(RTLD_NEXT, "getaddrinfo"));
	return real(name, service, hints, result);
}

addrinfo *found(const std::string &address, const char *service)
{
	addrinfo hints{};
	hints.ai_flags = AI_NUMERICHOST;
	hints.ai_socktype = SOCK_STREAM;
	addrinfo *result = nullptr;
	resolve(address.c_str(), service, &hints, &result);
	return result;
}

} // namespace

// In the place of the C library's, for libcurl too.
extern "C" int getaddrinfo(
	const char *name, const char *service, const addrinfo *hints, addrinfo **result)
{
	if (!name || std::strcmp(name, "rebind.example") != 0)
		return resolve(name, service, hints, result);
	addrinfo *all = nullptr;
	addrinfo **end = &all;
	for (const std::string &address : answers[asked++ % answers.size()]) {
		*end = found(address, service);
		end = &(*end)->ai_next;
	}
	*result = all;
	return 0;
}

namespace {

// Listens on one address, answers whoever comes, and counts.
class Listener {
public:
	// As the answer says it, connections stay open, or do not.
	static constexpr std::string_view brief =
		"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
	static constexpr std::string_view lasting = "HTTP/1.1 204 No Content\r\n\r\n";

	explicit Listener(const char *address, in_port_t port = 0, std::string_view answer = brief)
		: socket_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), answer_(answer)
	{
		const int on = 1;
		setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		sockaddr_in at{};
		at.sin_family = AF_INET;
		at.sin_port = htons(port);
		inet_pton(AF_INET, address, &at.sin_addr);
		EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr *>(&at), sizeof at), 0);
		EXPECT_EQ(listen(socket_, 16), 0);
		socklen_t size = sizeof at;
		getsockname(socket_, reinterpret_cast<sockaddr *>(&at), &size);
		port_ = ntohs(at.sin_port);
		thread_ = std::thread([this] { serve(); });
	}
	~Listener()
	{
		ended_.store(true);
		thread_.join();
		close(socket_);
	}
	Listener(const Listener &) = delete;
	Listener &operator=(const Listener &) = delete;

	in_port_t port() const { return port_; }
	int visitors() const { return visitors_.load(); }
	int calls() const { return calls_.load(); }
	int calls_of_first() const { return calls_of_first_.load(); } // visitor

private:
	void serve()
	{
		while (!ended_.load()) {
			pollfd next{socket_, POLLIN, 0};
			const int visitor = poll(&next, 1, 10) > 0 ? accept(socket_, nullptr, nullptr) : -1;
			if (visitor < 0)
				continue;
			++visitors_;
			do {
				char request[4096];
				if (read(visitor, request, sizeof request) <= 0)
					break;
				++calls_;
				calls_of_first_ += visitors_ == 1 ? 1 : 0;
				(void)!write(visitor, answer_.data(), answer_.size());
			} while (answer_ == lasting);
			close(visitor);
		}
	}

	int socket_;
	std::string_view answer_;
	in_port_t port_ = 0;
	std::atomic<int> visitors_ = 0;
	std::atomic<int> calls_ = 0;
	std::atomic<int> calls_of_first_ = 0;
	std::atomic<bool> ended_ = false;
	std::thread thread_;
};

core::Reply reply_of(worker::Transfers &transfers)
{
	return first_finished(transfers).reply;
}

core::Reply call(const std::string &url, const core::Egress &egress)
{
	worker::Transfers transfers(4);
	transfers.obey(egress);
	transfers.start(1, 1, request_to(url),
		{.connect = milliseconds(300), .request = milliseconds(2'000)}, worker::Connection::its_own,
		worker::Network::Place::its_own);
	transfers.set_out();
	return reply_of(transfers);
}

constexpr const char *spellings[] = {"127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1",
	"0", "localhost", "user@127.0.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]",
	"[64:ff9b::7f00:1]", "[fe80::1%25lo]", "169.254.169.254", "10.0.0.1", "100.100.100.200"};

} // namespace

TEST(Egress, no_spelling_of_an_inner_address_gets_through)
{
	Listener inner("127.0.0.1");
	for (const char *host : spellings) {
		const std::string url = "http://" + std::string(host) + ":" + std::to_string(inner.port());
		const core::Reply reply = call(url, allowing(""));
		EXPECT_FALSE(reply.request_left) << host;
		EXPECT_NE(reply.error.find("resolves to blocked address"), std::string::npos)
			<< host << ": " << reply.error;
	}
	EXPECT_EQ(inner.visitors(), 0);
}

// Or the test above would prove nothing.
TEST(Egress, they_get_through_where_that_is_allowed)
{
	Listener inner("127.0.0.1");
	for (const char *host : {"127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1",
			 "localhost", "user@127.0.0.1"}) {
		const std::string url = "http://" + std::string(host) + ":" + std::to_string(inner.port());
		EXPECT_EQ(call(url, allowing("127.0.0.0/8")).status, 204) << host;
	}
	EXPECT_EQ(inner.visitors(), 7);
}

TEST(Egress, a_name_server_that_changes_its_mind_gets_nothing)
{
	Listener allowed("127.0.0.2");
	Listener inner("127.0.0.1", allowed.port());
	const std::string url = "http://rebind.example:" + std::to_string(allowed.port());
	answers = {{"127.0.0.2"}, {"127.0.0.1"}};
	asked = 0;
	for (int round = 0; round < 3; ++round) {
		EXPECT_EQ(call(url, allowing("127.0.0.2/32")).status, 204);
		const core::Reply reply = call(url, allowing("127.0.0.2/32"));
		EXPECT_EQ(reply.error,
			"host \"rebind.example:" + std::to_string(allowed.port()) +
				"\" resolves to blocked address 127.0.0.1");
	}
	EXPECT_EQ(inner.visitors(), 0);
	EXPECT_EQ(allowed.visitors(), 3);
}

TEST(Egress, of_two_addresses_the_inner_one_is_passed_over)
{
	Listener allowed("127.0.0.2");
	Listener inner("127.0.0.1", allowed.port());
	answers = {{"127.0.0.1", "127.0.0.2"}};
	const std::string url = "http://rebind.example:" + std::to_string(allowed.port());
	EXPECT_EQ(call(url, allowing("127.0.0.2/32")).status, 204);
	EXPECT_EQ(inner.visitors(), 0);
}

// The callback is not asked when a connection is used again.
TEST(Egress, a_connection_of_another_policy_is_not_used_again)
{
	Listener inner("127.0.0.1", 0, Listener::lasting);
	worker::Transfers transfers(4); // gone first: then nobody is visiting any more
	const auto send = [&] {
		transfers.start(1, 1, request_to("http://127.0.0.1:" + std::to_string(inner.port())), {},
			worker::Connection::reusable, worker::Network::Place::its_own);
		transfers.set_out();
		return reply_of(transfers);
	};
	transfers.obey(allowing("127.0.0.0/8"));
	for (int call = 0; call < 3; ++call)
		EXPECT_EQ(send().status, 204);
	EXPECT_EQ(inner.visitors(), 1); // or the rest would prove nothing
	transfers.obey(allowing("127.0.0.1/32"));
	for (int call = 0; call < 3; ++call)
		EXPECT_EQ(send().status, 204);
	EXPECT_EQ(inner.calls_of_first(), 3);
	const int visitors = inner.visitors();
	transfers.obey(allowing(""));
	EXPECT_NE(send().error.find("blocked"), std::string::npos);
	EXPECT_EQ(inner.visitors(), visitors);
	EXPECT_EQ(inner.calls(), 6);
}

TEST(Egress, more_connections_are_kept_when_more_requests_may_be_under_way)
{
	Listener here("127.0.0.1", 0, Listener::lasting), there("127.0.0.2", 0, Listener::lasting);
	worker::Transfers transfers(1);
	transfers.obey(allowing("127.0.0.0/8"));
	const auto call_both = [&] {
		for (const auto &[host, port] :
			{std::pair("127.0.0.1", here.port()), std::pair("127.0.0.2", there.port())}) {
			transfers.start(1, 1,
				request_to("http://" + std::string(host) + ":" + std::to_string(port)), {},
				worker::Connection::reusable, worker::Network::Place::its_own);
			transfers.set_out();
			EXPECT_EQ(reply_of(transfers).status, 204);
		}
	};
	const auto visitors = [&] { return here.visitors() + there.visitors(); };
	for (int round = 0; round < 3; ++round)
		call_both();
	EXPECT_GT(visitors(), 2); // or the rest would prove nothing
	transfers.keep_connections(2);
	call_both();
	const int before = visitors();
	for (int round = 0; round < 3; ++round)
		call_both();
	EXPECT_EQ(visitors(), before);
}
