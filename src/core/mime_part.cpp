#include "core/mime_part.hpp"

#include "core/ascii.hpp"
#include "core/base64.hpp"
#include "core/escape.hpp"
#include "core/failure.hpp"

#include <algorithm>
#include <vector>

namespace automation::core {

namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::size_t bytes_per_line = 57; // 76 columns of base64
constexpr std::size_t longest_type = 127;

std::string header(std::string_view name, std::string_view value)
{
	return std::string(name) + ": " + std::string(value) + std::string(line_end);
}

std::string text_part(std::string_view type, std::string_view text)
{
	std::string part = header("Content-Type", "text/" + std::string(type) + "; charset=utf-8");
	part += header("Content-Transfer-Encoding", "quoted-printable");
	part += line_end;
	part += quoted_printable(text);
	part += line_end;
	return part;
}

std::string base64_lines(std::string_view bytes)
{
	std::string lines;
	lines.reserve(bytes.size() / bytes_per_line * 78 + 80);
	while (!bytes.empty()) {
		const std::string_view line = bytes.substr(0, bytes_per_line);
		lines += base64(line);
		lines += line_end;
		bytes.remove_prefix(line.size());
	}
	return lines;
}

// Each part ends in a line's end. "=_" occurs neither in quoted-printable nor in base64, so no body
// can imitate a boundary.
std::string multipart(const std::string &kind, const std::vector<std::string> &parts)
{
	const std::string boundary = "=_" + kind;
	std::string whole =
		header("Content-Type", "multipart/" + kind + "; boundary=\"" + boundary + "\"");
	whole += line_end;
	for (const std::string &part : parts) {
		whole += "--" + boundary;
		whole += line_end;
		whole += part;
	}
	return whole + "--" + boundary + "--" + std::string(line_end);
}

void check_type(std::string_view type)
{
	const auto is_allowed = [](char c) {
		return is_alphanumeric(c) || std::string_view("/.+-_=; ").find(c) != std::string_view::npos;
	};
	const bool valid = type.size() <= longest_type && type.find('/') != type.npos &&
		std::ranges::all_of(type, is_allowed);
	if (!valid)
		throw Failure("22023", "invalid media type of an attachment");
}

// RFC 2231 where the name needs it.
std::string file_name(const std::string &name)
{
	const std::string line = one_line(name);
	const bool plain =
		std::ranges::all_of(line, is_ascii) && line.find_first_of("\"\\") == line.npos;
	return plain ? "filename=\"" + line + '"' : "filename*=utf-8''" + url_encode(line);
}

std::string attachment_part(const Attachment &attachment)
{
	if (attachment.name.empty())
		throw Failure("22023", "an attachment of the message is not there any more");
	check_type(attachment.type);
	std::string part = header("Content-Type", attachment.type);
	part += header("Content-Transfer-Encoding", "base64");
	part += header("Content-Disposition",
		"attachment;" + std::string(line_end) + " " + file_name(attachment.name));
	part += line_end;
	return part + base64_lines(attachment.content);
}

std::string invite_part(const Email &email)
{
	return text_part("calendar; method=" + std::string(method_of(*email.invite)),
		format_invite(*email.invite, email.from.address, email.from.name));
}

// What a reader can do most with comes last.
std::string alternatives(const Email &email)
{
	std::vector<std::string> parts = {text_part("plain", email.text)};
	if (!email.html.empty())
		parts.push_back(text_part("html", email.html));
	if (email.invite)
		parts.push_back(invite_part(email));
	return parts.size() == 1 ? parts.front() : multipart("alternative", parts);
}

} // namespace

std::string format_content(const Email &email)
{
	if (email.attachments.empty())
		return alternatives(email);
	std::vector<std::string> parts = {alternatives(email)};
	for (const Attachment &attachment : email.attachments)
		parts.push_back(attachment_part(attachment));
	return multipart("mixed", parts);
}

} // namespace automation::core
