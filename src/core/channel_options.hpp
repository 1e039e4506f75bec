// The options of channels: which there are on a server and on a user mapping, and what they may
// say. All checks throw Failure.
#pragma once

#include "core/egress.hpp"
#include "core/message.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace automation::core {

// HV00D, with the names that would have been valid.
[[noreturn]] void refuse_option(std::string_view name, std::span<const std::string_view> valid);

// A server's options, all of them as they will be stored.
void check_server_options(const Entries &options, const Egress &egress);

// A user mapping's options. It does not know its server, and none is required: a dump made by an
// ordinary user leaves them out. Returns the names of those that hold a secret in the clear.
std::vector<std::string> check_mapping_options(const Entries &options);

// What can only be checked with the server at hand.
void check_credentials(const Channel &channel);

// "file:NAME" refers to a file of the secrets directory.
bool is_secret_reference(std::string_view value);
std::string secret_name(std::string_view reference);

} // namespace automation::core
