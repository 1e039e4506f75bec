// Requests that wait for the place of another one, when that one hangs.
#include "transfers.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace automation;
using namespace std::chrono_literals;

namespace {

// Takes whatever is sent to it, and answers nothing.
class Silence {
public:
	Silence() : socket_(socket(AF_INET, SOCK_STREAM, 0))
	{
		sockaddr_in at{};
		at.sin_family = AF_INET;
		at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr *>(&at), sizeof at), 0);
		EXPECT_EQ(listen(socket_, 16), 0);
		socklen_t size = sizeof at;
		getsockname(socket_, reinterpret_cast<sockaddr *>(&at), &size);
		url_ = "http://127.0.0.1:" + std::to_string(ntohs(at.sin_port));
	}
	~Silence() { close(socket_); }
	Silence(const Silence &) = delete;
	Silence &operator=(const Silence &) = delete;

	const std::string &url() const { return url_; }

private:
	int socket_;
	std::string url_;
};

} // namespace

TEST(Network, behind_a_request_that_hangs_another_one_ends_unbegun)
{
	const Silence host;
	worker::Transfers transfers(4);
	transfers.obey(allowing("127.0.0.0/8"));
	const auto start = [&](std::int64_t attempt, worker::Network::Place place) {
		transfers.start(attempt, 1, request_to(host.url()), {.connect = 1s, .request = 3s},
			worker::Connection::reusable, place);
	};
	start(1, worker::Network::Place::its_own);
	start(2, worker::Network::Place::next);
	EXPECT_EQ(transfers.set_out(), std::vector<std::int64_t>{2});
	const worker::Finished given_back = first_finished(transfers);
	EXPECT_EQ(given_back.attempt, 2);
	EXPECT_FALSE(given_back.has_begun);
	EXPECT_EQ(transfers.active(), 1U);
	const worker::Finished hung = first_finished(transfers);
	EXPECT_EQ(hung.attempt, 1);
	EXPECT_FALSE(hung.next);
}
