#include "worker/transfer.hpp"

#include "worker/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <span>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace automation::worker {

namespace {

// Longer than a connection lives: by then those opened under the old policy are gone.
constexpr std::chrono::seconds policy_change_settles{301};

int make_event()
{
	const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event < 0)
		throw std::system_error(errno, std::generic_category(), "eventfd");
	return event;
}

} // namespace

Transfers::Transfers(std::size_t most_at_once)
	: event_(make_event()), network_(most_at_once, event_), mails_(event_)
{
}

Transfers::~Transfers()
{
	cancel_all();
	for (const auto &exchange : idle_)
		if (exchange->is_mail())
			exchange->abandon();
	close(event_);
}

// Until nothing is under way that began under the old one, there are only fresh connections.
void Transfers::obey(core::Egress egress)
{
	egress_ = std::make_shared<core::Egress>(std::move(egress));
	fresh_until_ = Clock::now() + policy_change_settles;
	network_.leave_connections();
}

// Of the channel's own if there is one, the one that was used last: it may have a connection, and
// is set for such requests. A mail's is for mails: whoever takes it over would have to wait for the
// goodbye of a mail server.
std::unique_ptr<Exchange> Transfers::idle_exchange(std::uint32_t channel, bool for_mail)
{
	auto chosen = idle_.end();
	for (auto idle = idle_.end(); idle != idle_.begin();) {
		if ((*--idle)->is_mail() != for_mail)
			continue;
		if (chosen == idle_.end() || (*idle)->channel() == channel)
			chosen = idle;
		if ((*chosen)->channel() == channel)
			break;
	}
	if (chosen == idle_.end())
		return std::make_unique<Exchange>();
	std::swap(*chosen, idle_.back());
	std::unique_ptr<Exchange> exchange = std::move(idle_.back());
	idle_.pop_back();
	return exchange;
}

void Transfers::start(std::int64_t attempt, std::uint32_t channel, core::Request request,
	Deadlines deadlines, Connection connection, Network::Place place)
{
	std::unique_ptr<Exchange> exchange = idle_exchange(channel, Exchange::is_mail(request));
	if (network_.is_leaving() && Clock::now() < fresh_until_)
		connection = Connection::its_own;
	exchange->prepare(attempt, channel, std::move(request), egress_, deadlines, connection);
	if (exchange->is_mail())
		mails_.start(std::move(exchange));
	else
		network_.start(std::move(exchange), place);
}

std::vector<Finished> Transfers::take_finished()
{
	eventfd_t count = 0;
	(void)eventfd_read(event_, &count);
	std::vector<Finished> finished;
	finish(network_.take_ended(), finished);
	finish(mails_.take_ended(), finished);
	return finished;
}

std::vector<Finished> Transfers::cancel_all()
{
	std::vector<Finished> finished = take_finished();
	const std::size_t before = finished.size();
	finish(network_.cancel_all(), finished);
	finish(mails_.cancel_all(), finished);
	for (Finished &each : std::span(finished).subspan(before))
		each.reply.error = "the worker was stopped";
	eventfd_t count = 0;
	(void)eventfd_read(event_, &count);
	return finished;
}

void Transfers::finish(std::vector<Ended> &&ended, std::vector<Finished> &finished)
{
	for (auto &[exchange, code, has_begun, next] : ended) {
		finished.push_back({exchange->attempt(), exchange->reply(code), has_begun, next});
		idle_.push_back(std::move(exchange));
	}
}

void start_libcurl()
{
	for (const char *name :
		{"SSLKEYLOGFILE", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
			"no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"})
		unsetenv(name);
	const SignalsBlocked blocked;
	curl_global_init(CURL_GLOBAL_ALL);
}

} // namespace automation::worker
