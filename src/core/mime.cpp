#include "core/mime.hpp"

#include "core/base64.hpp"
#include "core/escape.hpp"
#include "core/failure.hpp"
#include "core/mime_part.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace automation::core {

namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::size_t longest_plain_header = 60; // with its name still within 78 columns
constexpr std::size_t bytes_per_word = 39;		 // as base64 with its frame still within 76 columns
constexpr std::size_t longest_body_line = 75;	 // one more is the soft break's "="

bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f;
}

bool is_continuation(char c)
{
	return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// The longest beginning of at most limit bytes that does not cut a UTF-8 character.
std::size_t whole_characters(std::string_view text, std::size_t limit)
{
	if (text.size() <= limit)
		return text.size();
	std::size_t end = limit;
	while (end > 0 && limit - end < 4 && is_continuation(text[end]))
		--end;
	return end > 0 && !is_continuation(text[end]) ? end : limit;
}

void check_structured(std::string_view text, const char *what)
{
	if (text.empty() ||
		!std::ranges::all_of(text, [](char c) { return is_plain(c) && c != ' '; }) ||
		text.find_first_of("<>,;") != text.npos)
		throw Failure("22023", std::string("invalid ") + what + " of an email");
}

std::string header(std::string_view name, std::string_view value)
{
	std::string line(name);
	line += ": ";
	line += value;
	line += line_end;
	return line;
}

std::string quoted_string(std::string_view text)
{
	std::string quoted = "\"";
	for (const char c : text) {
		if (c == '"' || c == '\\')
			quoted += '\\';
		quoted += c;
	}
	return quoted + '"';
}

std::string display_name(std::string_view name)
{
	const bool plain = name.size() <= longest_plain_header && std::ranges::all_of(name, is_plain);
	return plain ? quoted_string(name) : header_text(name);
}

std::string mailbox_text(const Mailbox &mailbox)
{
	check_structured(mailbox.address, "address");
	if (mailbox.name.empty())
		return mailbox.address;
	return display_name(mailbox.name) + " <" + mailbox.address + ">";
}

} // namespace

Mailbox parse_mailbox(std::string_view text)
{
	const auto trimmed = [](std::string_view part) {
		while (!part.empty() && part.front() == ' ')
			part.remove_prefix(1);
		while (!part.empty() && part.back() == ' ')
			part.remove_suffix(1);
		return part;
	};
	text = trimmed(text);
	const std::size_t open = text.rfind('<');
	if (open == text.npos || !text.ends_with('>'))
		return {.name = {}, .address = std::string(text)};
	std::string_view name = trimmed(text.substr(0, open));
	if (name.size() >= 2 && name.starts_with('"') && name.ends_with('"'))
		name = name.substr(1, name.size() - 2);
	return {.name = std::string(name),
		.address = std::string(text.substr(open + 1, text.size() - open - 2))};
}

std::string format_email(const Email &email)
{
	check_structured(email.to, "address");
	check_structured(email.id, "Message-ID");
	std::string message = header("Date", header_date(email.date));
	message += header("From", mailbox_text(email.from));
	if (!email.reply_to.empty())
		message += header("Reply-To", mailbox_text(parse_mailbox(email.reply_to)));
	message += header("To", email.to);
	message += header("Subject", header_text(email.subject));
	message += header("Message-ID", "<" + email.id + ">");
	if (!email.unsubscribe_url.empty()) {
		check_structured(email.unsubscribe_url, "unsubscribe_url");
		message += header("List-Unsubscribe", "<" + email.unsubscribe_url + ">");
		message += header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
	}
	message += header("Auto-Submitted", "auto-generated");
	message += header("MIME-Version", "1.0");
	return message + format_content(email);
}

std::string header_text(std::string_view value)
{
	std::string line = one_line(value);
	std::string_view text = line;
	const bool plain = text.size() <= longest_plain_header && std::ranges::all_of(text, is_plain) &&
		text.find("=?") == text.npos;
	if (plain)
		return line;
	std::string words;
	while (!text.empty()) {
		const std::size_t length = whole_characters(text, bytes_per_word);
		words += words.empty() ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?";
		words += base64(text.substr(0, length));
		words += "?=";
		text.remove_prefix(length);
	}
	return words;
}

std::string quoted_printable(std::string_view text)
{
	constexpr std::string_view digits = "0123456789ABCDEF";
	std::string encoded;
	std::size_t column = 0;
	const auto append = [&](std::string_view piece) {
		if (column + piece.size() > longest_body_line) {
			encoded += "=\r\n";
			column = 0;
		}
		encoded += piece;
		column += piece.size();
	};
	for (std::size_t at = 0; at < text.size(); ++at) {
		const char c = text[at];
		if (c == '\r' || c == '\n') {
			if (c == '\r' && at + 1 < text.size() && text[at + 1] == '\n')
				++at;
			encoded += line_end;
			column = 0;
			continue;
		}
		const bool at_line_end =
			at + 1 == text.size() || text[at + 1] == '\r' || text[at + 1] == '\n';
		const bool as_it_is = c == ' ' || c == '\t' ? !at_line_end : is_plain(c) && c != '=';
		const auto byte = static_cast<unsigned char>(c);
		const std::array<char, 3> escape{'=', digits[byte >> 4], digits[byte & 15]};
		append(as_it_is ? std::string_view(&c, 1) : std::string_view(escape.data(), escape.size()));
	}
	return encoded;
}

std::string header_date(std::int64_t seconds_since_1970)
{
	namespace chrono = std::chrono;
	constexpr std::array<const char *, 7> weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	constexpr std::array<const char *, 12> months{
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	const chrono::sys_seconds instant{chrono::seconds(seconds_since_1970)};
	const chrono::sys_days midnight = chrono::floor<chrono::days>(instant);
	const chrono::year_month_day date{midnight};
	const chrono::hh_mm_ss time{instant - midnight};
	const auto two = [](auto count) {
		const std::string digits = std::to_string(count);
		return digits.size() < 2 ? "0" + digits : digits;
	};
	return std::string(weekdays[chrono::weekday(midnight).c_encoding()]) + ", " +
		std::to_string(static_cast<unsigned>(date.day())) + " " +
		months[static_cast<unsigned>(date.month()) - 1] + " " +
		std::to_string(static_cast<int>(date.year())) + " " + two(time.hours().count()) + ":" +
		two(time.minutes().count()) + ":" + two(time.seconds().count()) + " +0000";
}

} // namespace automation::core
