// Many requests at once, without waiting: the worker waits on our descriptor together with its
// latch.
#pragma once

#include "worker/exchange.hpp"
#include "worker/mail.hpp"
#include "worker/network.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace automation::worker {

struct Finished {
	std::int64_t attempt;
	core::Reply reply;
	bool has_begun;
	std::optional<std::int64_t> next; // the attempt that has taken its place
};

class Transfers {
public:
	explicit Transfers(std::size_t most_at_once);
	~Transfers();
	Transfers(const Transfers &) = delete;
	Transfers &operator=(const Transfers &) = delete;

	int descriptor() const { return event_; } // readable when something has finished

	void keep_connections(std::size_t most) { network_.keep_connections(most); }
	// From now on addresses are held against this policy; connections opened under another one are
	// not used again.
	void obey(core::Egress egress);
	void start(std::int64_t attempt, std::uint32_t channel, core::Request request,
		Deadlines deadlines, Connection connection, Network::Place place);
	// What has been started sets out. The attempts come back that wait for others of their channels
	// to end, and take their places.
	std::vector<std::int64_t> set_out() { return network_.set_out(); }
	std::vector<Finished> take_finished();
	std::size_t active() const { return network_.active() + mails_.active(); }
	std::vector<Finished> cancel_all(); // each of them finishes with what is known

private:
	using Clock = std::chrono::steady_clock;
	std::unique_ptr<Exchange> idle_exchange(std::uint32_t channel, bool for_mail);
	void finish(std::vector<Ended> &&ended, std::vector<Finished> &finished);

	int event_;
	std::vector<std::unique_ptr<Exchange>> idle_;
	std::shared_ptr<const core::Egress> egress_ = std::make_shared<core::Egress>();
	Network network_;
	Mails mails_;
	Clock::time_point fresh_until_ = Clock::time_point::min();
};

// Before libcurl or a thread of its starts: the environment of whoever started the server names
// proxies, key logs and certificate stores that are not ours.
void start_libcurl();

} // namespace automation::worker
