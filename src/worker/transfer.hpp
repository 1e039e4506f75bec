// Many requests at once over kept-alive connections, without waiting: the worker waits on our
// descriptor together with its latch.
#pragma once

#include "worker/exchange.hpp"
#include "worker/mail.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace automation::worker {

struct Finished {
	std::int64_t attempt;
	core::Reply reply;
};

class Transfers {
public:
	explicit Transfers(std::size_t most_at_once);
	~Transfers();
	Transfers(const Transfers &) = delete;
	Transfers &operator=(const Transfers &) = delete;

	int descriptor() const { return epoll_; } // readable when drive() has something to do
	std::optional<std::chrono::milliseconds> next_timer() const;

	// From now on addresses are held against this policy; connections opened under another one are
	// not used again.
	void obey(core::Egress egress);
	void start(
		std::int64_t attempt, core::Request request, Deadlines deadlines, Connection connection);
	void drive();
	std::vector<Finished> take_finished();
	std::size_t active() const { return active_.size() + mails_.active(); }
	void cancel_all(); // each of them finishes with what is known

private:
	using Clock = std::chrono::steady_clock;
	struct Cleanup {
		void operator()(CURLM *multi) const { curl_multi_cleanup(multi); }
	};

	static int on_socket(CURL *, curl_socket_t socket, int what, void *transfers, void *known);
	static int on_timer(CURLM *, long milliseconds, void *transfers);
	void open_pool();
	void leave_old_pool();
	void act(curl_socket_t socket, int what);
	void collect();
	void finish(CURL *handle, CURLcode code);
	void finish(std::vector<Mails::Ended> mails);

	int epoll_;
	std::size_t most_at_once_;
	std::unordered_map<CURL *, std::unique_ptr<Exchange>> active_;
	std::vector<std::unique_ptr<Exchange>> idle_;
	std::unique_ptr<CURLM, Cleanup> multi_; // and the connections that it keeps
	std::optional<Clock::time_point> timer_;
	std::vector<Finished> finished_;
	std::shared_ptr<const core::Egress> egress_ = std::make_shared<core::Egress>();
	Mails mails_;
	Clock::time_point fresh_until_ = Clock::time_point::min();
};

// Before libcurl or a thread of its starts: the environment of whoever started the server names
// proxies, key logs and certificate stores that are not ours.
void start_libcurl();

} // namespace automation::worker
