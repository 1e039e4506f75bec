#include "worker/multi.hpp"

#include "worker/signals.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <new>
#include <span>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace automation::worker {

namespace {

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

int checked(int descriptor, const char *what)
{
	if (descriptor < 0)
		throw std::system_error(errno, std::generic_category(), what);
	return descriptor;
}

} // namespace

Multi::Multi(std::size_t most_connections)
	: most_connections_(most_connections),
	  epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
	  call_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"))
{
	epoll_event event{};
	event.data.fd = call_;
	event.events = EPOLLIN;
	checked(epoll_ctl(epoll_, EPOLL_CTL_ADD, call_, &event), "epoll_ctl");
	open();
	if (!multi_)
		throw std::bad_alloc();
}

Multi::~Multi()
{
	const SignalsBlocked blocked;
	multi_.reset();
	close(call_);
	close(epoll_);
}

// Without memory the old one stays.
void Multi::open()
{
	std::unique_ptr<CURLM, Cleanup> multi(curl_multi_init());
	if (!multi)
		return;
	multi_ = std::move(multi);
	timer_.reset();
	curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &Multi::on_socket);
	curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
	curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &Multi::on_timer);
	curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
	curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(most_connections_));
}

void Multi::keep_connections(std::size_t most)
{
	if (most == most_connections_)
		return;
	most_connections_ = most;
	curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(most));
}

void Multi::close_connections()
{
	open();
}

bool Multi::add(CURL *handle)
{
	if (curl_multi_add_handle(multi_.get(), handle) != CURLM_OK)
		return false;
	++handles_;
	return true;
}

void Multi::remove(CURL *handle)
{
	curl_multi_remove_handle(multi_.get(), handle);
	--handles_;
}

std::optional<Multi::Done> Multi::take_done()
{
	int left = 0;
	const CURLMsg *message = curl_multi_info_read(multi_.get(), &left);
	if (!message) // DONE is all that there is
		return std::nullopt;
	const Done done{message->easy_handle, message->data.result};
	remove(done.handle);
	return done;
}

void Multi::wait(std::optional<std::chrono::milliseconds> at_most)
{
	if (timer_) {
		const auto left = std::chrono::ceil<std::chrono::milliseconds>(*timer_ - Clock::now());
		at_most = std::max(std::min(at_most.value_or(left), left), std::chrono::milliseconds(0));
	}
	std::array<epoll_event, 64> events;
	const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
		at_most ? static_cast<int>(at_most->count()) : -1);
	if (timer_ && *timer_ <= Clock::now()) {
		timer_.reset();
		act(CURL_SOCKET_TIMEOUT, 0);
	}
	for (const epoll_event &event :
		std::span(events).first(static_cast<std::size_t>(std::max(ready, 0)))) {
		eventfd_t calls = 0;
		if (event.data.fd == call_)
			(void)eventfd_read(call_, &calls);
		else
			act(event.data.fd, curl_events(event.events));
	}
}

void Multi::call()
{
	(void)eventfd_write(call_, 1);
}

void Multi::act(curl_socket_t socket, int what)
{
	int running = 0;
	curl_multi_socket_action(multi_.get(), socket, what, &running);
}

int Multi::on_socket(CURL *, curl_socket_t socket, int what, void *multi, void *known)
{
	auto *self = static_cast<Multi *>(multi);
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

int Multi::on_timer(CURLM *, long milliseconds, void *multi)
{
	auto *self = static_cast<Multi *>(multi);
	if (milliseconds < 0)
		self->timer_.reset();
	else
		self->timer_ = Clock::now() + std::chrono::milliseconds(milliseconds);
	return 0;
}

} // namespace automation::worker
