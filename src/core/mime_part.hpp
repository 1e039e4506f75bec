// The inside of an e-mail: what it says, in each of its forms, and what is attached.
#pragma once

#include "core/mime.hpp"

namespace automation::core {

// Its own headers, and the body: a text; text, HTML and invitation as alternatives; either and the
// attachments as a mixture. Throws Failure when an attachment cannot be one.
std::string format_content(const Email &email);

} // namespace automation::core
