// Signatures of webhooks, by Standard Webhooks (standardwebhooks.com).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace automation::core {

// HMAC with SHA-256, which the floor above has.
using Hmac = std::string (*)(std::string_view key, std::string_view text);

// The secrets that a credential names: more than one, separated by spaces, while receivers go from
// the old one to the new. Throws Failure 22023, which shows none of it.
std::vector<std::string_view> signing_secrets(std::string_view credential);

// The value of webhook-signature: one signature for each of them.
std::string sign_webhook(std::string_view id, std::int64_t timestamp, std::string_view body,
	std::string_view credential, Hmac hmac);

} // namespace automation::core
