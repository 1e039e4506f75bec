// libcurl's multi interface over epoll: many transfers on one thread, over connections that are
// kept. Once it is made nothing throws.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

namespace automation::worker {

class Multi {
public:
	explicit Multi(std::size_t most_connections);
	void keep_connections(std::size_t most); // those that wait for other requests included
	~Multi();								 // nothing is under way
	Multi(const Multi &) = delete;
	Multi &operator=(const Multi &) = delete;

	struct Done {
		CURL *handle; // removed
		CURLcode code;
	};

	bool add(CURL *handle);
	void remove(CURL *handle);
	bool is_empty() const { return handles_ == 0; }
	// For something to do, and does it; or for a call; or so long.
	void wait(std::optional<std::chrono::milliseconds> at_most);
	std::optional<Done> take_done();
	void close_connections(); // when it is empty

	void call(); // from any thread: ends wait()

private:
	using Clock = std::chrono::steady_clock;
	struct Cleanup {
		void operator()(CURLM *multi) const { curl_multi_cleanup(multi); }
	};

	void open();
	void act(curl_socket_t socket, int what);
	static int on_socket(CURL *, curl_socket_t socket, int what, void *multi, void *known);
	static int on_timer(CURLM *, long milliseconds, void *multi);

	std::size_t most_connections_;
	int epoll_;
	int call_;
	std::unique_ptr<CURLM, Cleanup> multi_; // and the connections that it keeps
	std::optional<Clock::time_point> timer_;
	std::size_t handles_ = 0;
};

} // namespace automation::worker
