// HMAC by PostgreSQL's own library.
#pragma once

#include <string>
#include <string_view>

namespace automation::pg {

std::string hmac_sha256(std::string_view key, std::string_view text); // 32 bytes

} // namespace automation::pg
