// What happens at the fault points of pg_automation, in a server that preloads this library: a file
// in the folder "faults" of the data directory, named like the point, says it.
//
//   kill            the process dies as by SIGKILL: the server restarts itself
//   panic           the same by SIGABRT, as after a PANIC
//   immediate       the server stops as by pg_ctl stop -m immediate
//   postmaster      the postmaster alone dies, all others go on until they notice
//   terminate       the process is asked to end, as by pg_terminate_backend()
//   error           an ERROR, where one may be raised
//   sleep 500       so many milliseconds pass
//
// Whoever takes the file away does what it says: it happens once, in the process that comes first,
// and a test sees that it has. With "worker" or "backend" behind it, only in such a one. May be
// called on any thread.
extern "C" {
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace {

struct Order {
	char action[16] = "";
	char argument[16] = "";
};

bool concerns_us(const Order &order)
{
	if (std::strcmp(order.argument, "worker") == 0)
		return MyBackendType == B_BG_WORKER;
	if (std::strcmp(order.argument, "backend") == 0)
		return MyBackendType == B_BACKEND;
	return true;
}

bool take_order(const char *point, Order &order)
{
	char path[128];
	snprintf(path, sizeof path, "faults/%s", point);
	const int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	char text[32] = "";
	const ssize_t length = read(file, text, sizeof text - 1);
	close(file);
	return length > 0 && sscanf(text, "%15s %15s", order.action, order.argument) >= 1 &&
		concerns_us(order) && unlink(path) == 0;
}

bool strike(const char *point) noexcept
{
	Order order;
	if (!take_order(point, order))
		return false;
	const auto is = [&](const char *action) { return std::strcmp(order.action, action) == 0; };
	if (is("kill"))
		kill(getpid(), SIGKILL);
	else if (is("panic"))
		std::abort();
	else if (is("immediate"))
		kill(PostmasterPid, SIGQUIT);
	else if (is("postmaster"))
		kill(PostmasterPid, SIGKILL);
	else if (is("terminate"))
		kill(getpid(), SIGTERM);
	else if (is("sleep"))
		usleep(1000 * static_cast<useconds_t>(std::atoi(order.argument)));
	return is("error");
}

} // namespace

void _PG_init(void)
{
	*find_rendezvous_variable("pg_automation faults") = reinterpret_cast<void *>(strike);
}
