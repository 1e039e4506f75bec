// One request under way and what has come back of it so far.
#pragma once

#include "core/egress.hpp"
#include "core/message.hpp"

#include <curl/curl.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace automation::worker {

struct Deadlines {
	std::chrono::milliseconds connect{5'000};
	std::chrono::milliseconds request{30'000};
	bool operator==(const Deadlines &) const = default;
};

// Whether an earlier request's connection may carry this one. libcurl silently repeats a request
// whose reused connection broke, so what must not be sent twice gets a connection of its own.
enum class Connection { reusable, its_own };

// Made once and used for request after request. The handle points back at its Exchange.
class Exchange {
public:
	Exchange();
	Exchange(const Exchange &) = delete;
	Exchange &operator=(const Exchange &) = delete;

	void prepare(std::int64_t attempt, std::uint32_t channel, core::Request request,
		std::shared_ptr<const core::Egress> egress, Deadlines deadlines, Connection connection);
	core::Reply reply(CURLcode code);

	std::int64_t attempt() const { return attempt_; }
	std::uint32_t channel() const { return channel_; }
	bool is_mail() const { return protocol_ == core::Reply::Protocol::smtp; }
	static bool is_mail(const core::Request &request) { return request.url.starts_with("smtp"); }
	CURL *handle() const { return handle_.get(); }
	void cancel() { cancelled_.store(true); } // from another thread than that of the transfer

	// A mail's connection stays with its exchange; to end one takes a mail server's goodbye.
	void close_stale() { stale_.reset(); } // that was opened under another policy
	void abandon()						   // the process ends, and waits for nobody
	{
		(void)handle_.release();
		(void)stale_.release();
	}

private:
	struct Cleanup {
		void operator()(CURL *handle) const { curl_easy_cleanup(handle); }
		void operator()(curl_slist *list) const { curl_slist_free_all(list); }
	};

	static std::unique_ptr<CURL, Cleanup> new_handle();
	void prepare_connection();
	void prepare_answer();
	void prepare_login();
	void prepare_http();
	void prepare_message();
	void prepare_smtp();
	void add_header(const std::string &line);
	template <typename Argument> void set(CURLoption option, Argument argument);

	static curl_socket_t open_socket(void *exchange, curlsocktype purpose, curl_sockaddr *address);
	static int on_request(void *exchange, char *, char *, int, int);
	static int on_progress(void *exchange, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
	static std::size_t on_body(char *bytes, std::size_t size, std::size_t count, void *exchange);
	static std::size_t on_header(char *bytes, std::size_t size, std::size_t count, void *exchange);
	static std::size_t give_body(char *bytes, std::size_t size, std::size_t count, void *exchange);

	std::unique_ptr<CURL, Cleanup> handle_;
	std::unique_ptr<CURL, Cleanup> stale_;
	std::unique_ptr<curl_slist, Cleanup> lines_; // HTTP headers, or the SMTP recipient
	std::int64_t attempt_ = 0;
	std::uint32_t channel_ = 0;
	core::Request request_;
	std::shared_ptr<const core::Egress> egress_; // asked whenever a socket opens
	Deadlines deadlines_;
	Connection connection_ = Connection::reusable;
	std::atomic<bool> cancelled_ = false;
	core::Reply::Protocol protocol_ = core::Reply::Protocol::http;
	int requests_ = 0;		// that libcurl has made of it
	bool is_done_ = false;	// at the first go
	std::size_t given_ = 0; // of the body
	bool given_all_ = false;
	std::size_t body_size_ = 0; // of the answer
	std::size_t header_size_ = 0;
	std::string answer_;
	std::optional<core::Address> blocked_;
	char error_[CURL_ERROR_SIZE] = "";
};

// One that is over.
struct Ended {
	std::unique_ptr<Exchange> exchange;
	CURLcode code;
	bool has_begun = true;
	std::optional<std::int64_t> next = {}; // the attempt that has taken its place
};

} // namespace automation::worker
