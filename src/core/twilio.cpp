#include "core/twilio.hpp"

#include "core/base64.hpp"
#include "core/json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace automation::core {

namespace {

struct Code {
	std::string_view number;
	Outcome outcome;
	std::string_view meaning;
};
constexpr std::string_view opted_out = "21610";
constexpr Code codes[] = {
	{opted_out, Outcome::dead, "the recipient has opted out"},
	{"21211", Outcome::dead, "invalid phone number"},
	{"21614", Outcome::dead, "not a mobile number"},
	{"20429", Outcome::retry, "too many requests"},
	{"21611", Outcome::retry, "too many messages of this sender are waiting"},
};

bool is_equal(std::string_view a, std::string_view b)
{
	if (a.size() != b.size())
		return false;
	unsigned difference = 0;
	for (std::size_t i = 0; i < a.size(); ++i)
		difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i] ^ b[i]));
	return difference == 0;
}

} // namespace

Verdict judge_twilio(Verdict verdict, const Reply &reply)
{
	if (verdict.outcome == Outcome::delivered) {
		verdict.provider_id = json_member(reply.body, "sid");
		return verdict;
	}
	const std::string number = json_member(reply.body, "code");
	if (reply.status < 400 || number.empty())
		return verdict;
	const auto *known = std::ranges::find(codes, number, &Code::number);
	if (known == std::end(codes)) {
		verdict.reason += fmt::format(" (Twilio {})", number);
		return verdict;
	}
	verdict.outcome = known->outcome;
	verdict.reason = fmt::format("Twilio {}: {}", number, known->meaning);
	verdict.opted_out = number == opted_out;
	return verdict;
}

bool has_twilio_signature(std::string_view signature, std::string_view auth_token,
	std::string_view url, Entries parameters, HmacSha1 hmac)
{
	std::ranges::stable_sort(parameters, {}, &Entry::name);
	std::string text(url);
	for (const auto &[name, value] : parameters)
		text += name + value;
	return is_equal(base64(hmac(auth_token, text)), signature);
}

} // namespace automation::core
