// Values that go between the database's encoding and types and ours.
#pragma once

#include "pg/spi.hpp"

#include "core/message.hpp"

#include <optional>

namespace automation::pg {

// The members of a jsonb object; what is no text stays JSON.
core::Entries json_entries(Datum object);

// Text of the database in UTF-8; none when it is not text at all, as SQL_ASCII may hold.
std::optional<std::string> to_utf8(std::string text);
bool database_is_utf8();

// So many characters of the text at most, and dots for what is left out.
std::string clipped(const std::string &text, int most);

} // namespace automation::pg
