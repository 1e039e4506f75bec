#include "worker/network.hpp"

#include "worker/signals.hpp"

#include <algorithm>
#include <sys/eventfd.h>
#include <unordered_set>
#include <utility>

namespace automation::worker {

namespace {

constexpr std::chrono::milliseconds longest_wait{100}; // for a place

} // namespace

Network::Network(std::size_t most_connections, int event)
	: event_(event), most_connections_(most_connections), multi_(most_connections)
{
}

Network::~Network()
{
	cancel_all();
}

void Network::start(std::unique_ptr<Exchange> exchange, Place place)
{
	started_.push_back({exchange.get(), place});
	under_way_.emplace(exchange.get(), std::move(exchange));
}

std::vector<std::int64_t> Network::set_out()
{
	std::vector<std::int64_t> waiting;
	if (started_.empty())
		return waiting;
	begin_thread();
	const std::lock_guard lock(mutex_);
	ended_.reserve(under_way_.size());
	for (const auto &[exchange, place] : std::exchange(started_, {})) {
		Line &line = lines_[exchange->channel()];
		if (thread_ == pthread_t{}) { // it ends as what was never begun
			ended_.push_back({exchange, CURLE_FAILED_INIT, true, std::nullopt});
			(void)eventfd_write(event_, 1);
		} else if (place == Place::next && line.under_way > 0) {
			line.waiting.push_back({exchange, Clock::now()});
			waiting.push_back(exchange->attempt());
		} else {
			++line.under_way;
			to_start_.push_back(exchange);
		}
	}
	multi_.call(); // those that wait, to count their time
	return waiting;
}

void Network::begin_thread()
{
	if (thread_ != pthread_t{})
		return;
	const SignalsBlocked blocked;
	if (pthread_create(&thread_, nullptr, &Network::run, this) != 0)
		thread_ = {};
}

void Network::end_thread()
{
	if (thread_ == pthread_t{})
		return;
	{
		const std::lock_guard lock(mutex_);
		stopping_ = true;
	}
	multi_.call();
	pthread_join(std::exchange(thread_, {}), nullptr);
	stopping_ = false;
}

std::vector<Ended> Network::take_ended()
{
	std::vector<Outcome> outcomes;
	outcomes.reserve(under_way_.size());
	{
		const std::lock_guard lock(mutex_);
		ended_.swap(outcomes);
	}
	return take(outcomes);
}

std::vector<Ended> Network::take(const std::vector<Outcome> &outcomes)
{
	std::vector<Ended> ended;
	ended.reserve(outcomes.size());
	for (const auto &[exchange, code, has_begun, next] : outcomes) {
		const auto found = under_way_.find(exchange);
		ended.push_back({std::move(found->second), code, has_begun, next});
		under_way_.erase(found);
	}
	return ended;
}

std::vector<Ended> Network::cancel_all()
{
	end_thread();
	std::vector<Ended> ended = take_ended();
	std::unordered_set<Exchange *> unbegun(to_start_.begin(), to_start_.end());
	for (const auto &[exchange, place] : std::exchange(started_, {}))
		unbegun.insert(exchange);
	for (const auto &[channel, line] : lines_)
		for (const Line::Waiting &waiting : line.waiting)
			unbegun.insert(waiting.exchange);
	const SignalsBlocked blocked;
	for (auto &[exchange, owned] : under_way_) {
		const bool has_begun = !unbegun.contains(exchange);
		if (has_begun)
			multi_.remove(exchange->handle());
		ended.push_back({std::move(owned), CURLE_ABORTED_BY_CALLBACK, has_begun});
	}
	under_way_.clear();
	to_start_.clear();
	lines_.clear();
	return ended;
}

void Network::keep_connections(std::size_t most)
{
	const std::lock_guard lock(mutex_);
	most_connections_ = most;
}

void Network::leave_connections()
{
	{
		const std::lock_guard lock(mutex_);
		leaving_ = true;
		outdated_ = !to_start_.empty();
	}
	if (thread_ != pthread_t{})
		multi_.call();
	else
		take_over();
}

bool Network::is_leaving() const
{
	const std::lock_guard lock(mutex_);
	return leaving_;
}

void *Network::run(void *network)
{
	auto *self = static_cast<Network *>(network);
	while (self->take_over()) {
		self->multi_.wait(self->patience_);
		while (const auto done = self->multi_.take_done()) {
			Exchange *exchange = nullptr;
			curl_easy_getinfo(done->handle, CURLINFO_PRIVATE, &exchange);
			self->end(exchange, done->code);
		}
	}
	return nullptr;
}

// What the worker wants; false: to end.
bool Network::take_over()
{
	{
		const std::lock_guard lock(mutex_);
		if (stopping_)
			return false;
		starting_.swap(to_start_);
		multi_.keep_connections(most_connections_);
		const bool outdated = std::exchange(outdated_, false);
		if (leaving_ && multi_.is_empty()) {
			multi_.close_connections();
			leaving_ = outdated;
		}
		give_up();
	}
	for (Exchange *exchange : starting_)
		begin(exchange);
	starting_.clear();
	return true;
}

void Network::begin(Exchange *exchange)
{
	if (!multi_.add(exchange->handle()))
		end(exchange, CURLE_FAILED_INIT);
}

void Network::end(Exchange *exchange, CURLcode code)
{
	Exchange *next = nullptr;
	bool first = false;
	{
		const std::lock_guard lock(mutex_);
		first = ended_.empty();
		Line &line = lines_.find(exchange->channel())->second;
		next = next_in(line);
		if (!next)
			--line.under_way;
		ended_.push_back(
			{exchange, code, true, next ? std::optional(next->attempt()) : std::nullopt});
	}
	if (first)
		(void)eventfd_write(event_, 1);
	if (next)
		begin(next);
}

Exchange *Network::next_in(Line &line)
{
	if (line.waiting.empty())
		return nullptr;
	Exchange *next = line.waiting.front().exchange;
	line.waiting.pop_front();
	return next;
}

// On those that have waited too long: what was known when they were claimed may be so no more.
void Network::give_up()
{
	const auto now = Clock::now();
	patience_.reset();
	for (auto &[channel, line] : lines_)
		while (!line.waiting.empty()) {
			const auto &[exchange, since] = line.waiting.front();
			const auto left =
				std::chrono::ceil<std::chrono::milliseconds>(since + longest_wait - now);
			if (left > std::chrono::milliseconds(0)) {
				patience_ = std::min(patience_.value_or(left), left);
				break;
			}
			if (ended_.empty())
				(void)eventfd_write(event_, 1);
			ended_.push_back({exchange, CURLE_OPERATION_TIMEDOUT, false, std::nullopt});
			line.waiting.pop_front();
		}
}

} // namespace automation::worker
