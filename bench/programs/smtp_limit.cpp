// How many mails one thread of libcurl hands over, with nothing else to do, over connections that
// are kept open.
//
//   smtp_limit URL MAILS CONNECTIONS     prints the seconds that it took
#include "sender.hpp"

namespace {

class Mails : public bench::Sender {
public:
	using Sender::Sender;

private:
	void prepare(bench::Transfer &transfer) override
	{
		curl_easy_setopt(transfer.handle, CURLOPT_MAIL_FROM, "<office@sender.example>");
		curl_easy_setopt(transfer.handle, CURLOPT_MAIL_RCPT, recipients_);
		curl_easy_setopt(transfer.handle, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(transfer.handle, CURLOPT_READFUNCTION, &Mails::give);
		curl_easy_setopt(transfer.handle, CURLOPT_READDATA, &transfer);
	}

	void fill(bench::Transfer &transfer, long number) override
	{
		transfer.given = 0;
		transfer.body = "From: office@sender.example\r\nTo: ada@receiver.example\r\nSubject: No. " +
			std::to_string(number) + "\r\n\r\n" + std::string(900, 'x') + "\r\n";
	}

	static std::size_t give(char *bytes, std::size_t size, std::size_t count, void *transfer)
	{
		auto *self = static_cast<bench::Transfer *>(transfer);
		const std::size_t length = self->body.copy(bytes, size * count, self->given);
		self->given += length;
		return length;
	}

	curl_slist *recipients_ = curl_slist_append(nullptr, "<ada@receiver.example>");
};

} // namespace

int main(int count, char **arguments)
{
	return bench::measure<Mails>(count, arguments);
}
