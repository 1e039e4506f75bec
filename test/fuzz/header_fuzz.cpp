// What the checks of headers, recipients and URLs let pass cannot break out of its line.
#include "core/failure.hpp"
#include "core/header.hpp"
#include "core/recipient.hpp"
#include "core/url.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace automation::core;

namespace {

void require(bool holds)
{
	if (!holds)
		std::abort();
}

bool has(std::string_view text, std::string_view characters)
{
	return text.find_first_of(characters) != text.npos;
}

template <typename Check> bool passes(Check check)
{
	try {
		check();
		return true;
	} catch (const Failure &failure) {
		require(std::string_view(failure.sqlstate).size() == 5 && *failure.what() != '\0');
		return false;
	}
}

void try_url(std::string_view text, const UrlPolicy &policy)
{
	Url url;
	if (!passes([&] { url = check_url(text, policy); }))
		return;
	require(!has(text, "\r\n\t #\\\x7f"));
	require(!url.host.empty() && url.port > 0 && url.port < 65536);
	require(url.scheme == "https" || url.scheme == "smtp" || url.scheme == "smtps");
	require(text.ends_with(url.path) && (url.path.empty() || has(url.path.substr(0, 1), "/?")));
	require(!has(url.host, "/?#@[]"));
	const std::optional<Address> address = Address::from_host(url.host);
	require(!address || !blocked_range(*address));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const std::string text(reinterpret_cast<const char *>(data), size);
	constexpr std::string_view forbidden("\r\n\0\x7f", 4);
	if (passes([&] { check_header_name(text); }))
		require(!text.empty() && text.size() <= 64 && !has(text, forbidden) && !has(text, ": "));
	if (passes([&] { check_header_value("X-A", text); }))
		require(!has(text, forbidden));
	if (passes([&] { check_email_address(text); }))
		require(!has(text, forbidden) && !has(text, "<> ,;:\"()[]\\") && text.size() <= 254 &&
			text.find('@') == text.rfind('@'));
	if (passes([&] { check_phone_number(text); }))
		require(normalize_phone_number(text) == text);
	else
		require(normalize_phone_number(text).size() <= text.size());
	try_url(text, webhook_policy());
	try_url("https://" + text, webhook_policy());
	try_url(text, email_policy());
	return 0;
}
