// The finished message of a step: whom it goes to, and its way into the outbox.
#pragma once

#include "engine/ledger.hpp"
#include "engine/rule.hpp"

#include <optional>
#include <string>
#include <vector>

namespace automation::engine {

// One of several who is missing keeps nobody else from being told, but the log tells. Throws when
// nobody is left.
std::vector<std::string> recipients_of(
	const Rule &rule, const Step &step, std::optional<pg::Datum> message, StepRecord &record);

// Hands it to the outbox, once for each recipient who wants to hear it.
void send(const Rule &rule, const Step &step, const RunRecord &run,
	std::optional<pg::Datum> message, StepRecord &record);

// Decisions of people about messages, in the ledger of consent.
void record_consent(std::optional<pg::Datum> decision);

} // namespace automation::engine
