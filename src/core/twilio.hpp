// What Twilio says: in the answer to a message, and in the calls it makes to the application.
#pragma once

#include "core/message.hpp"

namespace automation::core {

// The verdict on an answer, seen in the light of the code in its body: a recipient who has opted
// out, a number that is none, a limit. When the message was taken it has Twilio's id (sid).
Verdict judge_twilio(Verdict verdict, const Reply &reply);

// HMAC with SHA-1, which the floor above has.
using HmacSha1 = std::string (*)(std::string_view key, std::string_view text);

// Whether X-Twilio-Signature is right: that of the URL and of every parameter, in alphabetical
// order. The comparison takes as long whatever differs.
bool has_twilio_signature(std::string_view signature, std::string_view auth_token,
	std::string_view url, Entries parameters, HmacSha1 hmac);

} // namespace automation::core
