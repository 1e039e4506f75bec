#include "core/signature.hpp"

#include "core/base64.hpp"
#include "core/failure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace automation::core {

namespace {

constexpr std::string_view prefix = "whsec_";
constexpr std::string_view spaces = " \t\r\n";
constexpr std::size_t shortest_key = 24;
constexpr std::size_t longest_key = 64;

std::string key_of(std::string_view secret)
{
	if (secret.starts_with(prefix))
		if (const auto key = from_base64(secret.substr(prefix.size())))
			if (key->size() >= shortest_key && key->size() <= longest_key)
				return *key;
	throw Failure("22023", "invalid signing secret",
		{.detail = "The secret must be \"whsec_\" followed by 24 to 64 bytes in base64."});
}

} // namespace

std::vector<std::string_view> signing_secrets(std::string_view credential)
{
	std::vector<std::string_view> secrets;
	for (;;) {
		credential.remove_prefix(std::min(credential.find_first_not_of(spaces), credential.size()));
		if (credential.empty() && !secrets.empty())
			return secrets;
		const std::string_view secret = credential.substr(0, credential.find_first_of(spaces));
		key_of(secret);
		secrets.push_back(secret);
		credential.remove_prefix(secret.size());
	}
}

std::string sign_webhook(std::string_view id, std::int64_t timestamp, std::string_view body,
	std::string_view credential, Hmac hmac)
{
	const std::string text = fmt::format("{}.{}.{}", id, timestamp, body);
	std::string signatures;
	for (const std::string_view secret : signing_secrets(credential))
		signatures += fmt::format(
			"{}v1,{}", signatures.empty() ? "" : " ", base64(hmac(key_of(secret), text)));
	return signatures;
}

} // namespace automation::core
