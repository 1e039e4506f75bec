// Channels as PostgreSQL keeps them: foreign servers of our wrapper, and user mappings.
#pragma once

#include "pg/spi.hpp"

#include "core/message.hpp"

#include <vector>

struct FunctionCallInfoBaseData;

namespace automation::pg {

inline constexpr const char *wrapper_name = "pg_automation";

// The validator of the wrapper: (text[], oid of the catalog the options are for).
Datum validate_options(FunctionCallInfoBaseData *call);

// Creates the mapping of PUBLIC, or changes its options. Not by a statement, whose text would show
// the credentials in the context of every message about it.
struct OptionChange {
	enum class Kind { add, set, drop };
	Kind kind;
	std::string name;
	std::string value;
};
void map_public(const std::string &server, const std::vector<OptionChange> &changes);

// The rest is for the worker, inside a transaction.

// Counts the changes of servers, mappings and wrappers since follow_channels().
void follow_channels();
std::uint64_t channels_generation();

std::vector<Oid> channel_servers(); // of every foreign server of our wrapper
core::Entries wrapper_options();

// The server and the credentials that somebody's messages go out with: his own mapping, or else
// that of PUBLIC; as stored, references to secrets unresolved. Throws Failure 42704 when the server
// is gone and 42501 when he may not use it.
core::Channel read_channel(Oid server, Oid sender);
core::Channel read_channel(Oid server); // without credentials

} // namespace automation::pg
