// What the sinks share: a listening socket on the loopback, its connections, and one thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace bench {

struct Peer {
	int socket;
	std::uint64_t number; // no other connection ever had it
	std::string input = {};
	std::string output = {};
	bool leaves = false; // when the output is out
};

inline void require(bool condition, const char *what)
{
	if (condition)
		return;
	std::perror(what);
	std::exit(1);
}

inline std::int64_t microseconds()
{
	return std::chrono::duration_cast<std::chrono::microseconds>(
		std::chrono::system_clock::now().time_since_epoch())
		.count();
}

class EventLoop {
public:
	explicit EventLoop(const char *interface)
		: epoll_(epoll_create1(0)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0))
	{
		sockaddr_in address{};
		address.sin_family = AF_INET;
		address.sin_addr.s_addr = inet_addr(interface);
		socklen_t size = sizeof address;
		auto *generic = reinterpret_cast<sockaddr *>(&address);
		require(bind(listener_, generic, size) == 0 && listen(listener_, 4096) == 0 &&
				getsockname(listener_, generic, &size) == 0,
			"listen");
		watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
		std::printf("%d\n", ntohs(address.sin_port));
		std::fflush(stdout);
	}

	// greet(peer) when one has come, read(peer) when there is more input; wait() is for how many
	// milliseconds at most, wake() what is done after it.
	template <typename Greet, typename Read, typename Wait, typename Wake>
	[[noreturn]] void run(Greet &&greet, Read &&read, Wait &&wait, Wake &&wake)
	{
		std::array<epoll_event, 512> events;
		for (;;) {
			const int ready =
				epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait());
			wake();
			for (int i = 0; i < ready; ++i) {
				const auto &event = events[static_cast<std::size_t>(i)];
				if (event.data.fd == listener_)
					accept_all(greet);
				else if (Peer *peer = at(event.data.fd))
					serve(*peer, event.events, read);
			}
		}
	}

	Peer *at(int socket)
	{
		const auto found = peers_.find(socket);
		return found == peers_.end() ? nullptr : found->second.get();
	}

	void flush(Peer &peer)
	{
		const ssize_t sent =
			send(peer.socket, peer.output.data(), peer.output.size(), MSG_NOSIGNAL);
		if (sent > 0)
			peer.output.erase(0, static_cast<std::size_t>(sent));
		if (!peer.output.empty())
			watch(peer.socket, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
		else if (peer.leaves)
			drop(peer);
	}

	std::uint64_t accepted() const { return accepted_; }

private:
	void watch(int socket, unsigned events, int operation) const
	{
		epoll_event event{};
		event.events = events;
		event.data.fd = socket;
		epoll_ctl(epoll_, operation, socket, &event);
	}

	template <typename Greet> void accept_all(Greet &&greet)
	{
		const int one = 1;
		for (int socket; (socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
			setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
			peers_[socket] = std::make_unique<Peer>(Peer{socket, ++accepted_});
			watch(socket, EPOLLIN, EPOLL_CTL_ADD);
			greet(*peers_[socket]);
			if (!peers_[socket]->output.empty())
				flush(*peers_[socket]);
		}
	}

	template <typename Read> void serve(Peer &peer, unsigned events, Read &&read)
	{
		if (events & EPOLLOUT) {
			watch(peer.socket, EPOLLIN, EPOLL_CTL_MOD);
			return flush(peer);
		}
		std::array<char, 65536> bytes;
		const ssize_t count = recv(peer.socket, bytes.data(), bytes.size(), 0);
		if (count == 0 || (count < 0 && errno != EAGAIN))
			return drop(peer);
		if (count < 0)
			return;
		peer.input.append(bytes.data(), static_cast<std::size_t>(count));
		read(peer);
		if (!peer.output.empty())
			flush(peer);
	}

	void drop(const Peer &peer)
	{
		const int socket = peer.socket;
		peers_.erase(socket);
		close(socket);
	}

	int epoll_;
	int listener_;
	std::uint64_t accepted_ = 0;
	std::unordered_map<int, std::unique_ptr<Peer>> peers_;
};

} // namespace bench
