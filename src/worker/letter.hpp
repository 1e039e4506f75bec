// What e-mails carry besides their text: attachments, which are documents of the database, and
// invitations. In a transaction.
#pragma once

#include "worker/claim.hpp"

#include <vector>

namespace automation::worker {

// Adds to each what its message names.
void enclose(std::vector<Claim> &claims);

} // namespace automation::worker
