// A mail server that is as fast as one thread can be: it takes every message and counts.
//
//   smtp_sink [ADDRESS]     prints the port that it listens on
//
// Beside SMTP's verbs it knows XCOUNT, which answers how many messages there have been and when the
// last one came, in microseconds, and XRESET.
#include "event_loop.hpp"

#include <cstring>
#include <strings.h>
#include <unordered_set>

namespace {

using namespace std::string_view_literals;

class Sink {
public:
	void read(bench::Peer &peer)
	{
		for (;;) {
			const std::string_view end =
				in_message_.contains(peer.number) ? "\r\n.\r\n"sv : "\r\n"sv;
			const std::size_t size = peer.input.find(end);
			if (size == peer.input.npos)
				return;
			if (in_message_.erase(peer.number) > 0)
				take(peer);
			else
				obey(peer, peer.input.substr(0, size));
			peer.input.erase(0, size + end.size());
		}
	}

private:
	void take(bench::Peer &peer)
	{
		++count_;
		last_ = bench::microseconds();
		peer.output += "250 taken\r\n";
	}

	void obey(bench::Peer &peer, const std::string &line)
	{
		const auto is = [&](const char *verb) {
			return strncasecmp(line.c_str(), verb, strlen(verb)) == 0;
		};
		if (is("EHLO")) {
			peer.output += "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n";
		} else if (is("DATA")) {
			in_message_.insert(peer.number);
			peer.output += "354 go on\r\n";
		} else if (is("XCOUNT")) {
			peer.output += "250 " + std::to_string(count_) + " " + std::to_string(last_) + "\r\n";
		} else if (is("XRESET")) {
			count_ = last_ = 0;
			peer.output += "250 forgotten\r\n";
		} else if (is("QUIT")) {
			peer.leaves = true;
			peer.output += "221 goodbye\r\n";
		} else {
			peer.output += "250 fine\r\n";
		}
	}

	std::unordered_set<std::uint64_t> in_message_; // peers
	std::int64_t count_ = 0;
	std::int64_t last_ = 0;
};

} // namespace

int main(int count, char **arguments)
{
	bench::EventLoop loop(count > 1 ? arguments[1] : "127.0.0.1");
	Sink sink;
	loop.run([](bench::Peer &peer) { peer.output = "220 sink ESMTP\r\n"; },
		[&](bench::Peer &peer) { sink.read(peer); }, [] { return -1; }, [] {});
}
