// The engine's own tables and sequences, by their names.
#pragma once

#include <string_view>

namespace automation::pg {

using Oid = unsigned int;

// 0: there is none. Each write asks for some of them: looked up again only when one has changed.
Oid own_relation(std::string_view name);

} // namespace automation::pg
