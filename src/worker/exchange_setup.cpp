#include "worker/exchange.hpp"

#include <new>
#include <utility>

namespace automation::worker {

namespace {

constexpr long connection_life = 300; // seconds
constexpr long names_cached = 60;	  // seconds

long encryption_level(core::Request::Encryption encryption)
{
	switch (encryption) {
	case core::Request::Encryption::none:
		return CURLUSESSL_NONE;
	case core::Request::Encryption::if_offered:
		return CURLUSESSL_TRY;
	case core::Request::Encryption::required:
		break;
	}
	return CURLUSESSL_ALL;
}

} // namespace

std::unique_ptr<CURL, Exchange::Cleanup> Exchange::new_handle()
{
	std::unique_ptr<CURL, Cleanup> handle(curl_easy_init());
	if (!handle)
		throw std::bad_alloc();
	return handle;
}

template <typename Argument> void Exchange::set(CURLoption option, Argument argument)
{
	if (curl_easy_setopt(handle_.get(), option, argument) == CURLE_OUT_OF_MEMORY)
		throw std::bad_alloc();
}

void Exchange::add_header(const std::string &line)
{
	curl_slist *longer = curl_slist_append(lines_.get(), line.c_str());
	if (!longer)
		throw std::bad_alloc();
	(void)lines_.release();
	lines_.reset(longer);
}

void Exchange::prepare(std::int64_t attempt, std::uint32_t channel, core::Request request,
	std::shared_ptr<const core::Egress> egress, Deadlines deadlines, Connection connection)
{
	if (is_mail() && egress_ != egress)
		stale_ = std::exchange(handle_, new_handle());
	curl_easy_reset(handle_.get()); // connections and names stay known
	lines_.reset();
	attempt_ = attempt;
	channel_ = channel;
	request_ = std::move(request);
	egress_ = std::move(egress);
	cancelled_.store(false);
	given_ = body_size_ = header_size_ = 0;
	given_all_ = false;
	answer_.clear();
	blocked_.reset();
	error_[0] = '\0';
	protocol_ = is_mail(request_) ? core::Reply::Protocol::smtp : core::Reply::Protocol::http;
	prepare_connection(deadlines, connection);
	prepare_answer();
	prepare_login();
	if (protocol_ == core::Reply::Protocol::smtp)
		prepare_smtp();
	else
		prepare_http();
}

void Exchange::prepare_connection(Deadlines deadlines, Connection connection)
{
	set(CURLOPT_PRIVATE, this);
	set(CURLOPT_URL, request_.url.c_str());
	set(CURLOPT_NOSIGNAL, 1L);
	set(CURLOPT_QUICK_EXIT, 1L); // a resolver that hangs must not hold up our end
	set(CURLOPT_PROTOCOLS_STR, egress_->allow_http ? "http,https,smtp,smtps" : "https,smtp,smtps");
	set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
	set(CURLOPT_FOLLOWLOCATION, 0L);
	set(CURLOPT_PROXY, "");
	set(CURLOPT_NOPROXY, "*");
	set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
	set(CURLOPT_SSL_VERIFYPEER, 1L);
	set(CURLOPT_SSL_VERIFYHOST, 2L);
	set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
	if (!egress_->ca_file.empty())
		set(CURLOPT_CAINFO, egress_->ca_file.c_str());
	set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(deadlines.connect.count()));
	set(CURLOPT_TIMEOUT_MS, static_cast<long>(deadlines.request.count()));
	set(CURLOPT_MAXLIFETIME_CONN, connection_life);
	set(CURLOPT_DNS_CACHE_TIMEOUT, names_cached);
	set(CURLOPT_FRESH_CONNECT, connection == Connection::its_own ? 1L : 0L);
	set(CURLOPT_FORBID_REUSE, connection == Connection::its_own ? 1L : 0L);
	set(CURLOPT_OPENSOCKETFUNCTION, &Exchange::open_socket);
	set(CURLOPT_OPENSOCKETDATA, this);
}

void Exchange::prepare_answer()
{
	set(CURLOPT_ERRORBUFFER, error_);
	set(CURLOPT_WRITEFUNCTION, &Exchange::on_body);
	set(CURLOPT_WRITEDATA, this);
	set(CURLOPT_HEADERFUNCTION, &Exchange::on_header);
	set(CURLOPT_HEADERDATA, this);
}

void Exchange::prepare_login()
{
	if (!request_.username.empty()) {
		set(CURLOPT_USERNAME, request_.username.c_str());
		set(CURLOPT_PASSWORD, request_.password.c_str());
	}
	if (!request_.token.empty())
		set(CURLOPT_XOAUTH2_BEARER, request_.token.c_str());
}

void Exchange::prepare_http()
{
	set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)); // one request, one answer
	set(CURLOPT_USERAGENT, "pg_automation");
	set(CURLOPT_HTTPAUTH,
		static_cast<long>(request_.token.empty() ? CURLAUTH_BASIC : CURLAUTH_BEARER));
	for (const std::string &header : request_.headers)
		add_header(header);
	add_header("Expect:"); // no waiting for a 100
	set(CURLOPT_HTTPHEADER, lines_.get());
	if (request_.method != "GET") {
		set(CURLOPT_POSTFIELDS, request_.body.data());
		set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
	}
	set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

void Exchange::prepare_smtp()
{
	set(CURLOPT_USE_SSL, encryption_level(request_.encryption));
	set(CURLOPT_NOPROGRESS, 0L);
	set(CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
	set(CURLOPT_XFERINFODATA, this);
	set(CURLOPT_MAIL_FROM, request_.mail_from.c_str());
	add_header(request_.mail_to);
	set(CURLOPT_MAIL_RCPT, lines_.get());
	set(CURLOPT_UPLOAD, 1L);
	set(CURLOPT_READFUNCTION, &Exchange::give_body);
	set(CURLOPT_READDATA, this);
	set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
}

} // namespace automation::worker
