// Requests under way on a thread of their own: bytes travel while the worker records and claims.
// The thread calls libcurl and nothing of PostgreSQL's.
#pragma once

#include "worker/exchange.hpp"
#include "worker/multi.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <unordered_map>
#include <vector>

namespace automation::worker {

class Network {
public:
	Network(std::size_t most_connections, int event); // is written to when one has ended
	~Network();										  // all of them end
	Network(const Network &) = delete;
	Network &operator=(const Network &) = delete;

	// Whether it has a place; or waits until another one of its channel ends, and has that one's,
	// unless that takes so long that it had better be asked for anew: then it ends unbegun.
	enum class Place { its_own, next };
	void start(std::unique_ptr<Exchange> exchange, Place place);
	// All that have been started set out together: for each the thread would have to be woken. The
	// attempts of those that have to wait come back.
	std::vector<std::int64_t> set_out();

	std::size_t active() const { return under_way_.size(); }
	std::vector<Ended> take_ended();
	std::vector<Ended> cancel_all(); // at once

	// Fewer than there are requests at once, and each of those would open its own.
	void keep_connections(std::size_t most);
	// The connections that are kept now are closed as soon as nothing is under way.
	void leave_connections();
	bool is_leaving() const;

private:
	using Clock = std::chrono::steady_clock;
	struct Outcome {
		Exchange *exchange;
		CURLcode code;
		bool has_begun;
		std::optional<std::int64_t> next;
	};
	struct Line { // of one channel
		struct Waiting {
			Exchange *exchange;
			Clock::time_point since;
		};
		int under_way = 0;
		std::deque<Waiting> waiting = {};
	};

	void begin_thread();
	void end_thread();
	std::vector<Ended> take(const std::vector<Outcome> &outcomes);

	// On the thread, where nothing may throw.
	static void *run(void *network);
	bool take_over();
	void give_up();
	void begin(Exchange *exchange);
	void end(Exchange *exchange, CURLcode code);
	Exchange *next_in(Line &line);

	int event_;
	std::unordered_map<Exchange *, std::unique_ptr<Exchange>> under_way_;
	struct Started {
		Exchange *exchange;
		Place place;
	};
	std::vector<Started> started_; // and have not set out
	pthread_t thread_ = {};

	mutable std::mutex mutex_; // of the next seven
	std::unordered_map<std::uint32_t, Line> lines_;
	std::vector<Exchange *> to_start_;
	std::vector<Outcome> ended_; // has room for all that are under way
	bool leaving_ = false;
	bool outdated_ = false; // some to start were made for the connections that are left
	bool stopping_ = false;
	std::size_t most_connections_;

	// The thread's, while there is one.
	Multi multi_;
	std::vector<Exchange *> starting_;
	std::optional<std::chrono::milliseconds> patience_; // until somebody has waited too long
};

} // namespace automation::worker
