// Threads that libcurl starts inherit our signal mask; none of them may run a handler of the
// server's.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace automation::worker {

class SignalsBlocked {
public:
	SignalsBlocked()
	{
		sigset_t all;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before_);
	}
	~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
	SignalsBlocked(const SignalsBlocked &) = delete;
	SignalsBlocked &operator=(const SignalsBlocked &) = delete;

private:
	sigset_t before_;
};

} // namespace automation::worker
