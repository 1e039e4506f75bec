// What one thread of libcurl does at most: handles are used again, connections kept alive, and the
// plain poll loop is the fastest that there is for few connections.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace bench {

struct Transfer {
	CURL *handle = curl_easy_init();
	std::string body = {};
	std::size_t given = 0;
};

class Sender {
public:
	Sender(const char *url, long transfers, std::size_t connections)
		: url_(url), left_(transfers), transfers_(connections)
	{
		curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(connections));
	}
	virtual ~Sender() = default;

	void run()
	{
		for (Transfer &transfer : transfers_) {
			curl_easy_setopt(transfer.handle, CURLOPT_URL, url_);
			curl_easy_setopt(transfer.handle, CURLOPT_WRITEFUNCTION, &ignore);
			curl_easy_setopt(transfer.handle, CURLOPT_PRIVATE, &transfer);
			curl_easy_setopt(transfer.handle, CURLOPT_TIMEOUT_MS, 10'000L);
			prepare(transfer);
			start(transfer);
		}
		while (active_ > 0) {
			int running = 0;
			curl_multi_perform(multi_, &running);
			collect();
			if (active_ > 0)
				curl_multi_poll(multi_, nullptr, 0, 100, nullptr);
		}
	}

private:
	virtual void prepare(Transfer &transfer) = 0;			// once
	virtual void fill(Transfer &transfer, long number) = 0; // each time

	static std::size_t ignore(char *, std::size_t size, std::size_t count, void *)
	{
		return size * count;
	}

	void start(Transfer &transfer)
	{
		if (left_ == 0)
			return;
		fill(transfer, left_--);
		curl_multi_add_handle(multi_, transfer.handle);
		++active_;
	}

	void collect()
	{
		int left = 0;
		while (const CURLMsg *message = curl_multi_info_read(multi_, &left)) {
			Transfer *transfer = nullptr;
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
			if (message->data.result != CURLE_OK) {
				std::fprintf(stderr, "%s\n", curl_easy_strerror(message->data.result));
				std::exit(1);
			}
			curl_multi_remove_handle(multi_, transfer->handle);
			--active_;
			start(*transfer);
		}
	}

	CURLM *multi_ = curl_multi_init();
	const char *url_;
	long left_;
	long active_ = 0;
	std::vector<Transfer> transfers_;
};

template <typename Kind> int measure(int count, char **arguments)
{
	if (count != 4)
		return 2;
	curl_global_init(CURL_GLOBAL_ALL);
	const auto since = std::chrono::steady_clock::now();
	Kind(arguments[1], std::atol(arguments[2]), std::strtoul(arguments[3], nullptr, 10)).run();
	const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - since;
	std::printf("%f\n", seconds.count());
	return 0;
}

} // namespace bench
