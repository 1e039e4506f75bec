#include "worker/mail.hpp"

#include "worker/signals.hpp"

#include <sys/eventfd.h>
#include <utility>

namespace automation::worker {

Mails::~Mails()
{
	cancel_all();
}

// Owns nothing and throws nothing: all that it needs is there.
void *Mails::send(void *mail)
{
	auto *self = static_cast<Mail *>(mail);
	self->exchange->close_stale();
	self->code = curl_easy_perform(self->exchange->handle());
	self->ended.store(true);
	(void)eventfd_write(self->event, 1);
	return nullptr;
}

void Mails::start(std::unique_ptr<Exchange> exchange)
{
	const SignalsBlocked blocked;
	mails_.push_back(std::make_unique<Mail>());
	Mail &mail = *mails_.back();
	mail.exchange = std::move(exchange);
	mail.event = event_;
	if (pthread_create(&mail.thread, nullptr, &Mails::send, &mail) == 0)
		return;
	mail.thread = {}; // no thread can be had: it ends as what was never begun
	mail.ended.store(true);
	(void)eventfd_write(event_, 1);
}

std::vector<Ended> Mails::take_ended()
{
	std::vector<Ended> ended;
	std::erase_if(mails_, [&](std::unique_ptr<Mail> &mail) {
		if (!mail->ended.load())
			return false;
		if (mail->thread != pthread_t{})
			pthread_join(mail->thread, nullptr);
		ended.push_back({std::move(mail->exchange), mail->code});
		return true;
	});
	return ended;
}

std::vector<Ended> Mails::cancel_all()
{
	for (const auto &mail : mails_)
		mail->exchange->cancel();
	for (const auto &mail : mails_)
		if (mail->thread != pthread_t{})
			pthread_join(std::exchange(mail->thread, {}), nullptr);
	return take_ended();
}

} // namespace automation::worker
