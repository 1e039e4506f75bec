// How a text message is cut up on the air. Each segment is paid for.
#pragma once

#include <string_view>

namespace automation::core {

struct SmsSegments {
	bool is_gsm; // the 7-bit alphabet of GSM 03.38 holds all of it; else it is UCS-2
	int count;
};

// UTF-8; what is none counts as one character of UCS-2 a byte.
SmsSegments sms_segments(std::string_view body);

} // namespace automation::core
