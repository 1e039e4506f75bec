// HMAC by PostgreSQL's own library.
#pragma once

#include <string>
#include <string_view>

namespace automation::pg {

std::string hmac_sha256(std::string_view key, std::string_view text); // 32 bytes
std::string hmac_sha1(std::string_view key, std::string_view text);	  // 20 bytes

} // namespace automation::pg
