// Rules that are judged when the transaction ends: once for each row, by what all of it together
// has made of the row.
#pragma once

#include "engine/chapter.hpp"

#include <cstdint>

namespace automation::engine {

// Remembers where the row was before; not the row.
void note_for_commit(const Chapter &chapter, const pg::TriggerCall &call);
// It has come from another partition, where it was this version.
void note_move(const Chapter &chapter, const pg::TriggerCall &call, const pg::Place &from);

// Before the transaction commits, or is prepared. What the rules do then may change further rows:
// those are judged after that, as far as pg_automation.max_depth allows.
void judge_at_commit(bool preparing);

// What has been noted under this subtransaction or a later one has not happened; 0: all is over.
void forget_for_commit(std::uint32_t subtransaction) noexcept;

} // namespace automation::engine
