// E-mails under way, each on a thread of its own. libcurl does not come back between the end of a
// message and the server's answer to it, nor while it says goodbye: a mail server that takes its
// time there would hold up everybody else. The threads call libcurl and nothing of PostgreSQL's.
#pragma once

#include "worker/exchange.hpp"

#include <curl/curl.h>

#include <atomic>
#include <memory>
#include <pthread.h>
#include <vector>

namespace automation::worker {

class Mails {
public:
	explicit Mails(int event) : event_(event) {} // is written to when one has ended
	~Mails();									 // all of them end
	Mails(const Mails &) = delete;
	Mails &operator=(const Mails &) = delete;

	std::size_t active() const { return mails_.size(); }
	void start(std::unique_ptr<Exchange> exchange);
	std::vector<Ended> take_ended();
	std::vector<Ended> cancel_all(); // within a second or so

private:
	struct Mail {
		std::unique_ptr<Exchange> exchange;
		int event;
		pthread_t thread = {};
		CURLcode code = CURLE_FAILED_INIT;
		std::atomic<bool> ended = false;
	};
	static void *send(void *mail);

	int event_;
	std::vector<std::unique_ptr<Mail>> mails_;
};

} // namespace automation::worker
