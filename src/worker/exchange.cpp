#include "worker/exchange.hpp"

#include "pg/fault.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <netinet/in.h>
#include <new>
#include <span>
#include <sys/socket.h>

namespace automation::worker {

namespace {

constexpr std::size_t most_body_bytes = std::size_t{64} * 1024;
constexpr std::size_t most_header_bytes = std::size_t{32} * 1024;
constexpr std::size_t most_kept_bytes = std::size_t{16} * 1024; // Twilio repeats the message
constexpr std::string_view goodbye = "221";						// SMTP's answer to QUIT

core::Reply::Trouble trouble_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return core::Reply::Trouble::none;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_USE_SSL_FAILED:
		return core::Reply::Trouble::encryption;
	case CURLE_LOGIN_DENIED:
		return core::Reply::Trouble::login;
	default:
		return core::Reply::Trouble::network;
	}
}

std::string host_of(const std::string &url)
{
	const std::size_t begin = url.find("://") + 3;
	return url.substr(begin, url.find_first_of("/?", begin) - begin);
}

std::optional<core::Address> address_of(const sockaddr &address)
{
	std::array<unsigned char, 16> bytes;
	std::size_t size = 0;
	if (address.sa_family == AF_INET) {
		const auto &v4 = reinterpret_cast<const sockaddr_in &>(address);
		size = sizeof v4.sin_addr;
		std::memcpy(bytes.data(), &v4.sin_addr, size);
	} else if (address.sa_family == AF_INET6) {
		const auto &v6 = reinterpret_cast<const sockaddr_in6 &>(address);
		size = sizeof v6.sin6_addr;
		std::memcpy(bytes.data(), &v6.sin6_addr, size);
	}
	return core::Address::from_bytes(std::span(bytes.data(), size));
}

} // namespace

Exchange::Exchange() : handle_(new_handle())
{
	answer_.reserve(
		most_kept_bytes); // the callbacks below run inside libcurl: nothing may throw there
}

core::Reply Exchange::reply(CURLcode code)
{
	is_done_ = code == CURLE_OK && requests_ == 1;
	core::Reply reply;
	reply.protocol = protocol_;
	reply.trouble = trouble_of(code);
	if (blocked_ && code == CURLE_COULDNT_CONNECT)
		reply.error = "host \"" + host_of(request_.url) + "\" resolves to blocked address " +
			blocked_->to_string();
	else if (code != CURLE_OK)
		reply.error = error_[0] ? error_ : curl_easy_strerror(code);
	if (!is_mail() && requests_ == 0)
		return reply; // what the handle knows is of the one before

	long status = 0, request_size = 0;
	curl_off_t wait = 0;
	curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(handle(), CURLINFO_REQUEST_SIZE, &request_size);
	curl_easy_getinfo(handle(), CURLINFO_RETRY_AFTER, &wait);
	reply.status = static_cast<int>(status);
	reply.request_left = request_size > 0;
	reply.message_left = given_all_;
	if (wait > 0)
		reply.retry_after = std::chrono::seconds(wait);
	reply.body = answer_;
	return reply;
}

// The one place where an address is known for certain: after the name was resolved, and before the
// connection is made. Not asked again when a connection is reused.
curl_socket_t Exchange::open_socket(void *exchange, curlsocktype, curl_sockaddr *address)
{
	pg::quiet_fault_point("a connection is opened");
	auto *self = static_cast<Exchange *>(exchange);
	const std::optional<core::Address> target = address_of(address->addr);
	if (!target || core::refusal(*target, self->egress_->allowed_networks)) {
		self->blocked_ = target;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int Exchange::on_request(void *exchange, char *, char *, int, int)
{
	++static_cast<Exchange *>(exchange)->requests_;
	return CURL_PREREQFUNC_OK;
}

int Exchange::on_progress(void *exchange, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
{
	return static_cast<Exchange *>(exchange)->cancelled_.load() ? 1 : 0;
}

std::size_t Exchange::on_body(char *bytes, std::size_t size, std::size_t count, void *exchange)
{
	auto *self = static_cast<Exchange *>(exchange);
	const std::size_t length = size * count;
	self->body_size_ += length;
	if (self->body_size_ > most_body_bytes)
		return 0; // ends the transfer; the status is known by now
	const std::size_t room = most_kept_bytes - std::min(most_kept_bytes, self->answer_.size());
	self->answer_.append(bytes, std::min(length, room));
	return length;
}

// Of SMTP the lines of the dialogue come here; the last one says why.
std::size_t Exchange::on_header(char *bytes, std::size_t size, std::size_t count, void *exchange)
{
	pg::quiet_fault_point("an answer begins");
	auto *self = static_cast<Exchange *>(exchange);
	const std::size_t length = size * count;
	self->header_size_ += length;
	if (self->header_size_ > most_header_bytes)
		return 0;
	const std::string_view line(bytes, length);
	if (self->protocol_ == core::Reply::Protocol::smtp && !line.starts_with(goodbye))
		self->answer_.assign(line.substr(0, most_kept_bytes));
	return length;
}

std::size_t Exchange::give_body(char *bytes, std::size_t size, std::size_t count, void *exchange)
{
	pg::quiet_fault_point("a mail is half sent");
	auto *self = static_cast<Exchange *>(exchange);
	const std::string &body = self->request_.body;
	const std::size_t length = std::min(size * count, body.size() - self->given_);
	std::copy_n(body.data() + self->given_, length, bytes);
	self->given_ += length;
	self->given_all_ = self->given_ == body.size();
	return length;
}

} // namespace automation::worker
