// How many requests one thread of libcurl sends, with nothing else to do.
//
//   http_limit URL REQUESTS CONNECTIONS     prints the seconds that it took
#include "sender.hpp"

namespace {

class Posts : public bench::Sender {
public:
	using Sender::Sender;

private:
	void prepare(bench::Transfer &transfer) override
	{
		curl_easy_setopt(transfer.handle, CURLOPT_HTTPHEADER, headers_);
	}

	void fill(bench::Transfer &transfer, long number) override
	{
		transfer.body = "{\"eid\": " + std::to_string(number) + ", \"filler\": \"" +
			std::string(260, 'x') + "\"}";
		curl_easy_setopt(
			transfer.handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(transfer.body.size()));
		curl_easy_setopt(transfer.handle, CURLOPT_POSTFIELDS, transfer.body.data());
	}

	curl_slist *headers_ =
		curl_slist_append(curl_slist_append(nullptr, "Content-Type: application/json"), "Expect:");
};

} // namespace

int main(int count, char **arguments)
{
	return bench::measure<Posts>(count, arguments);
}
