#include "worker/transfer.hpp"

#include "worker/signals.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <span>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace automation::worker {

namespace {

// Longer than a connection lives: by then those opened under the old policy are gone.
constexpr std::chrono::seconds policy_change_settles{301};

unsigned epoll_events(int what)
{
	return ((what & CURL_POLL_IN) ? EPOLLIN + 0U : 0U) |
		((what & CURL_POLL_OUT) ? EPOLLOUT + 0U : 0U);
}

int curl_events(unsigned events)
{
	return ((events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
		((events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
		((events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
}

} // namespace

Transfers::Transfers(std::size_t most_at_once)
	: epoll_(epoll_create1(EPOLL_CLOEXEC)), most_at_once_(most_at_once)
{
	if (epoll_ < 0)
		throw std::system_error(errno, std::generic_category(), "epoll_create1");
	epoll_event event{};
	event.data.fd = mails_.descriptor();
	event.events = EPOLLIN;
	if (epoll_ctl(epoll_, EPOLL_CTL_ADD, mails_.descriptor(), &event) != 0)
		throw std::system_error(errno, std::generic_category(), "epoll_ctl");
	open_pool();
}

void Transfers::open_pool()
{
	multi_.reset(curl_multi_init());
	if (!multi_)
		throw std::bad_alloc();
	timer_.reset();
	curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &Transfers::on_socket);
	curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
	curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &Transfers::on_timer);
	curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
	curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(most_at_once_));
}

Transfers::~Transfers()
{
	const SignalsBlocked blocked;
	for (const auto &[handle, exchange] : active_)
		curl_multi_remove_handle(multi_.get(), handle);
	active_.clear();
	multi_.reset();
	close(epoll_);
}

std::optional<std::chrono::milliseconds> Transfers::next_timer() const
{
	if (!timer_)
		return std::nullopt;
	const auto left = std::chrono::ceil<std::chrono::milliseconds>(*timer_ - Clock::now());
	return std::max(left, std::chrono::milliseconds(0));
}

void Transfers::obey(core::Egress egress)
{
	egress_ = std::make_shared<core::Egress>(std::move(egress));
	if (!active_.empty() || !idle_.empty())
		fresh_until_ = Clock::now() + policy_change_settles;
	leave_old_pool();
}

// Its connections are closed with it, as soon as nothing is under way; until then there are only
// fresh ones.
void Transfers::leave_old_pool()
{
	if (Clock::now() >= fresh_until_ || !active_.empty())
		return;
	const SignalsBlocked blocked;
	open_pool();
	fresh_until_ = Clock::time_point::min();
}

void Transfers::start(
	std::int64_t attempt, core::Request request, Deadlines deadlines, Connection connection)
{
	std::unique_ptr<Exchange> exchange;
	if (idle_.empty()) {
		exchange = std::make_unique<Exchange>();
	} else {
		exchange = std::move(idle_.back());
		idle_.pop_back();
	}
	leave_old_pool();
	if (Clock::now() < fresh_until_)
		connection = Connection::its_own;
	exchange->prepare(attempt, std::move(request), egress_, deadlines, connection);
	if (exchange->is_mail())
		return mails_.start(std::move(exchange));
	CURL *handle = exchange->handle();
	active_.emplace(handle, std::move(exchange));
	if (curl_multi_add_handle(multi_.get(), handle) != CURLM_OK)
		finish(handle, CURLE_FAILED_INIT);
}

void Transfers::drive()
{
	if (active() == 0)
		return;
	finish(mails_.take_ended());
	const SignalsBlocked blocked;
	if (timer_ && *timer_ <= Clock::now()) {
		timer_.reset();
		act(CURL_SOCKET_TIMEOUT, 0);
	}
	std::array<epoll_event, 64> events;
	const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
	for (const epoll_event &event : std::span(events).first(static_cast<std::size_t>(ready)))
		if (event.data.fd != mails_.descriptor())
			act(event.data.fd, curl_events(event.events));
	collect();
}

std::vector<Finished> Transfers::take_finished()
{
	return std::exchange(finished_, {});
}

void Transfers::cancel_all()
{
	const SignalsBlocked blocked;
	const std::size_t before = finished_.size();
	finish(mails_.cancel_all());
	while (!active_.empty())
		finish(active_.begin()->first, CURLE_ABORTED_BY_CALLBACK);
	for (Finished &finished : std::span(finished_).subspan(before))
		finished.reply.error = "the worker was stopped";
}

void Transfers::act(curl_socket_t socket, int what)
{
	int running = 0;
	curl_multi_socket_action(multi_.get(), socket, what, &running);
}

void Transfers::collect()
{
	int left = 0;
	while (const CURLMsg *message = curl_multi_info_read(multi_.get(), &left))
		if (message->msg == CURLMSG_DONE)
			finish(message->easy_handle, message->data.result);
}

void Transfers::finish(CURL *handle, CURLcode code)
{
	const auto found = active_.find(handle);
	finished_.push_back({found->second->attempt(), found->second->reply(code)});
	curl_multi_remove_handle(multi_.get(), handle);
	idle_.push_back(std::move(found->second));
	active_.erase(found);
}

void Transfers::finish(std::vector<Mails::Ended> mails)
{
	for (auto &[exchange, code] : mails) {
		finished_.push_back({exchange->attempt(), exchange->reply(code)});
		idle_.push_back(std::move(exchange));
	}
}

int Transfers::on_socket(CURL *, curl_socket_t socket, int what, void *transfers, void *known)
{
	auto *self = static_cast<Transfers *>(transfers);
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(self->epoll_, EPOLL_CTL_DEL, socket, nullptr);
		return 0;
	}
	epoll_event event{};
	event.data.fd = socket;
	event.events = epoll_events(what);
	epoll_ctl(self->epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
	curl_multi_assign(self->multi_.get(), socket, self);
	return 0;
}

int Transfers::on_timer(CURLM *, long milliseconds, void *transfers)
{
	auto *self = static_cast<Transfers *>(transfers);
	if (milliseconds < 0)
		self->timer_.reset();
	else
		self->timer_ = Clock::now() + std::chrono::milliseconds(milliseconds);
	return 0;
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
