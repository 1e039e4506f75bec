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

// But for the message, and where it goes on the same host.
bool goes_the_same_way(const core::Request &before, const core::Request &now)
{
	return before.method == now.method && before.username == now.username &&
		before.password == now.password && before.token == now.token;
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

// From one request of a channel to the next most of it stays as it is set: to set it all anew takes
// some of the worker's time. But when libcurl repeats a request it counts that on the handle, for
// ever, and gives up at the sixth.
void Exchange::prepare(std::int64_t attempt, std::uint32_t channel, core::Request request,
	std::shared_ptr<const core::Egress> egress, Deadlines deadlines, Connection connection)
{
	if (is_mail() && egress_ != egress)
		stale_ = std::exchange(handle_, new_handle());
	const bool is_set = is_done_ && !is_mail(request) && egress_ == egress &&
		deadlines_ == deadlines && connection_ == connection &&
		goes_the_same_way(request_, request);
	const bool knows_url = is_set && request_.url == request.url;
	attempt_ = attempt;
	channel_ = channel;
	request_ = std::move(request);
	egress_ = std::move(egress);
	deadlines_ = deadlines;
	connection_ = connection;
	cancelled_.store(false);
	requests_ = 0;
	is_done_ = false;
	given_ = body_size_ = header_size_ = 0;
	given_all_ = false;
	answer_.clear();
	blocked_.reset();
	error_[0] = '\0';
	protocol_ = is_mail(request_) ? core::Reply::Protocol::smtp : core::Reply::Protocol::http;
	if (!is_set) {
		curl_easy_reset(handle_.get()); // connections and names stay known
		prepare_connection();
		prepare_answer();
		prepare_login();
	}
	if (!knows_url)
		set(CURLOPT_URL, request_.url.c_str());
	lines_.reset();
	if (protocol_ == core::Reply::Protocol::smtp)
		return prepare_smtp();
	if (!is_set)
		prepare_http();
	prepare_message();
}

void Exchange::prepare_connection()
{
	set(CURLOPT_PRIVATE, this);
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
	set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(deadlines_.connect.count()));
	set(CURLOPT_TIMEOUT_MS, static_cast<long>(deadlines_.request.count()));
	set(CURLOPT_MAXLIFETIME_CONN, connection_life);
	set(CURLOPT_DNS_CACHE_TIMEOUT, names_cached);
	set(CURLOPT_FRESH_CONNECT, connection_ == Connection::its_own ? 1L : 0L);
	set(CURLOPT_FORBID_REUSE, connection_ == Connection::its_own ? 1L : 0L);
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
	set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
	set(CURLOPT_PREREQFUNCTION, &Exchange::on_request);
	set(CURLOPT_PREREQDATA, this);
}

void Exchange::prepare_message()
{
	for (const std::string &header : request_.headers)
		add_header(header);
	add_header("Expect:"); // no waiting for a 100
	set(CURLOPT_HTTPHEADER, lines_.get());
	if (request_.method != "GET") {
		set(CURLOPT_POSTFIELDS, request_.body.data());
		set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
	}
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
