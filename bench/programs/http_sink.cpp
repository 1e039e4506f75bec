// An HTTP server that is as fast as one thread can be: it answers 200 and remembers when what came.
//
//   http_sink [ADDRESS]     prints the port that it listens on
//
// A POST counts as the event whose number stands behind "eid": in its body; below /slow/ it is
// answered after a second. A GET asks:
//   /count        how many POSTs there have been
//   /events       one line for each: number of the event, its path, time in microseconds
//   /reset        forgets them
#include "event_loop.hpp"

#include <algorithm>
#include <charconv>
#include <deque>
#include <vector>

namespace {

using namespace std::string_view_literals;

constexpr std::int64_t slowness = 1'000'000; // microseconds
constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

struct Arrival {
	std::int64_t event;
	std::int64_t at;
	bool is_slow;
};

struct Later {
	std::int64_t at;
	int socket;
	std::uint64_t peer;
};

std::int64_t number_after(std::string_view text, std::string_view name)
{
	std::int64_t number = -1;
	const std::size_t place = text.find(name);
	if (place == text.npos)
		return number;
	text.remove_prefix(std::min(text.find_first_not_of(' ', place + name.size()), text.size()));
	std::from_chars(text.data(), text.data() + text.size(), number);
	return number;
}

class Sink {
public:
	explicit Sink(bench::EventLoop &loop) : loop_(loop) {}

	void read(bench::Peer &peer)
	{
		std::size_t read = 0;
		while (const std::size_t size = next(peer, std::string_view(peer.input).substr(read)))
			read += size;
		peer.input.erase(0, read);
	}

	int wait() const
	{
		if (later_.empty())
			return -1;
		return static_cast<int>(
			std::max<std::int64_t>(later_.front().at - bench::microseconds() + 999, 0) / 1000);
	}

	void wake()
	{
		while (!later_.empty() && later_.front().at <= bench::microseconds()) {
			bench::Peer *peer = loop_.at(later_.front().socket);
			if (peer && peer->number == later_.front().peer) {
				peer->output += answer;
				loop_.flush(*peer);
			}
			later_.pop_front();
		}
	}

private:
	// Answers the first request of the input; its size, or 0 when it is not whole yet.
	std::size_t next(bench::Peer &peer, std::string_view input)
	{
		const std::size_t head = input.find("\r\n\r\n"sv);
		if (head == input.npos)
			return 0;
		const std::string_view lines = input.substr(0, head);
		std::size_t size = head + 4;
		for (const std::string_view name : {"\r\nContent-Length:"sv, "\r\ncontent-length:"sv})
			size += static_cast<std::size_t>(std::max<std::int64_t>(number_after(lines, name), 0));
		if (input.size() < size)
			return 0;
		const std::size_t path = lines.find('/');
		if (lines.starts_with("GET"sv))
			tell(peer, lines.substr(path, lines.find(' ', path) - path));
		else
			take(peer, lines.substr(path).starts_with("/slow/"sv), input.substr(0, size));
		return size;
	}

	void take(bench::Peer &peer, bool is_slow, std::string_view request)
	{
		const std::int64_t now = bench::microseconds();
		arrivals_.push_back({number_after(request, "\"eid\":"sv), now, is_slow});
		if (is_slow)
			later_.push_back({now + slowness, peer.socket, peer.number});
		else
			peer.output += answer;
	}

	void tell(bench::Peer &peer, std::string_view path)
	{
		std::string body;
		if (path == "/events"sv)
			for (const Arrival &arrival : arrivals_)
				body += std::to_string(arrival.event) +
					(arrival.is_slow ? "\tslow\t" : "\tfast\t") + std::to_string(arrival.at) + "\n";
		else if (path == "/reset"sv)
			arrivals_.clear();
		else
			body = std::to_string(arrivals_.size()) + "\n";
		peer.output +=
			"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
	}

	bench::EventLoop &loop_;
	std::vector<Arrival> arrivals_;
	std::deque<Later> later_;
};

} // namespace

int main(int count, char **arguments)
{
	bench::EventLoop loop(count > 1 ? arguments[1] : "127.0.0.1");
	Sink sink(loop);
	loop.run([](bench::Peer &) {}, [&](bench::Peer &peer) { sink.read(peer); },
		[&] { return sink.wait(); }, [&] { sink.wake(); });
}
