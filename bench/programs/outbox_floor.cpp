// The least that has to be done for an outbox that is in the database: claim in one transaction,
// send, record in the next one. It knows no channels, policies or limits, retries nothing and
// believes every answer.
//
//   outbox_floor URL EVENTS CONNECTIONS    sends so many from crm.outbox; prints the seconds, and
//   those of processor time outbox_floor URL EVENTS one GAP        one at a time, so many
//   milliseconds apart; prints its number and when it was there
#include <curl/curl.h>
#include <libpq-fe.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

void require(bool condition, const char *what)
{
	if (condition)
		return;
	std::fprintf(stderr, "%s\n", what);
	std::exit(1);
}

struct Message {
	std::string attempt;
	std::string body;
};

class Outbox {
public:
	Outbox()
	{
		require(PQstatus(connection_) == CONNECTION_OK, PQerrorMessage(connection_));
		PQclear(PQprepare(connection_, "turn", R"(
			WITH done AS (
				UPDATE bench.attempt SET finished_at = now(), outcome = 'delivered', status_code = 200
				WHERE id = ANY ($1::bigint[])),
			next AS (SELECT o.id, o.payload FROM crm.outbox AS o WHERE o.id > $2::bigint ORDER BY o.id LIMIT $3::integer),
			begun AS (INSERT INTO bench.attempt (delivery_id) SELECT n.id FROM next AS n RETURNING id, delivery_id)
			SELECT b.id, b.delivery_id, n.payload FROM begun AS b JOIN next AS n ON n.id = b.delivery_id ORDER BY b.delivery_id)",
			0, nullptr));
	}
	~Outbox() { PQfinish(connection_); }
	Outbox(const Outbox &) = delete;
	Outbox &operator=(const Outbox &) = delete;

	int socket() const { return PQsocket(connection_); }
	bool is_busy() const { return is_busy_; }

	// Records these and claims so many.
	void begin_turn(std::vector<std::string> &delivered, int most)
	{
		std::string ids = "{";
		for (const std::string &attempt : delivered)
			ids += (ids.size() > 1 ? "," : "") + attempt;
		ids += '}';
		delivered.clear();
		const std::string limit = std::to_string(most);
		const char *values[] = {ids.c_str(), last_.c_str(), limit.c_str()};
		require(PQsendQueryPrepared(connection_, "turn", 3, values, nullptr, nullptr, 0) == 1,
			PQerrorMessage(connection_));
		is_busy_ = true;
	}
	// Whether its transaction has been committed.
	bool end_turn(std::deque<Message> &claimed, bool waits)
	{
		PQconsumeInput(connection_);
		if (!waits && PQisBusy(connection_))
			return false;
		while (PGresult *rows = PQgetResult(connection_)) {
			require(PQresultStatus(rows) == PGRES_TUPLES_OK, PQerrorMessage(connection_));
			for (int row = 0; row < PQntuples(rows); ++row) {
				last_ = PQgetvalue(rows, row, 1);
				claimed.push_back({PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 2)});
			}
			PQclear(rows);
		}
		is_busy_ = false;
		return true;
	}

private:
	PGconn *connection_ = PQconnectdb("");
	std::string last_ = "0";
	bool is_busy_ = false;
};

class Sender {
public:
	Sender(const char *url, std::size_t connections) : transfers_(connections)
	{
		curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(connections));
		headers_ = curl_slist_append(
			curl_slist_append(nullptr, "Content-Type: application/json"), "Expect:");
		for (Transfer &transfer : transfers_) {
			curl_easy_setopt(transfer.handle, CURLOPT_URL, url);
			curl_easy_setopt(transfer.handle, CURLOPT_HTTPHEADER, headers_);
			curl_easy_setopt(transfer.handle, CURLOPT_WRITEFUNCTION, &ignore);
			curl_easy_setopt(transfer.handle, CURLOPT_PRIVATE, &transfer);
			idle_.push_back(&transfer);
		}
	}

	std::size_t idle() const { return idle_.size(); }
	bool is_idle() const { return idle_.size() == transfers_.size(); }
	void start(Message message)
	{
		Transfer *transfer = idle_.back();
		idle_.pop_back();
		transfer->message = std::move(message);
		curl_easy_setopt(transfer->handle, CURLOPT_POSTFIELDSIZE,
			static_cast<long>(transfer->message.body.size()));
		curl_easy_setopt(transfer->handle, CURLOPT_POSTFIELDS, transfer->message.body.data());
		curl_multi_add_handle(multi_, transfer->handle);
	}
	void step(std::vector<std::string> &delivered)
	{
		int running = 0, left = 0;
		curl_multi_perform(multi_, &running);
		while (const CURLMsg *done = curl_multi_info_read(multi_, &left)) {
			Transfer *transfer = nullptr;
			curl_easy_getinfo(done->easy_handle, CURLINFO_PRIVATE, &transfer);
			require(done->data.result == CURLE_OK, curl_easy_strerror(done->data.result));
			curl_multi_remove_handle(multi_, transfer->handle);
			delivered.push_back(std::move(transfer->message.attempt));
			idle_.push_back(transfer);
		}
	}
	void wait(int socket)
	{
		curl_waitfd other{socket, CURL_WAIT_POLLIN, 0};
		curl_multi_poll(multi_, &other, 1, 100, nullptr);
	}

private:
	struct Transfer {
		CURL *handle = curl_easy_init();
		Message message = {};
	};
	static std::size_t ignore(char *, std::size_t size, std::size_t count, void *)
	{
		return size * count;
	}

	CURLM *multi_ = curl_multi_init();
	curl_slist *headers_;
	std::vector<Transfer> transfers_;
	std::vector<Transfer *> idle_;
};

double processor_seconds()
{
	rusage used{};
	getrusage(RUSAGE_SELF, &used);
	const auto seconds = [](const timeval &time) {
		return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
	};
	return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// While a group is claimed and another one recorded, bytes travel.
void send_all(Outbox &outbox, Sender &sender, long events, std::size_t connections)
{
	const auto since = std::chrono::steady_clock::now();
	std::chrono::duration<double> last{};
	std::deque<Message> claimed;
	std::vector<std::string> delivered;
	for (long count = 0; count < events || outbox.is_busy();) {
		if (outbox.is_busy())
			outbox.end_turn(claimed, false);
		if (!outbox.is_busy() && count < events && claimed.size() < connections)
			outbox.begin_turn(delivered, static_cast<int>(connections));
		for (; sender.idle() > 0 && !claimed.empty(); claimed.pop_front())
			sender.start(std::move(claimed.front()));
		const std::size_t before = delivered.size();
		sender.step(delivered);
		count += static_cast<long>(delivered.size() - before);
		last = std::chrono::steady_clock::now() - since;
		if (delivered.size() == before)
			sender.wait(outbox.socket());
	}
	outbox.begin_turn(delivered, 0);
	outbox.end_turn(claimed, true);
	std::printf("%f|%f\n", last.count(), processor_seconds());
}

// From the moment in which it could know of one: as if it were woken at once.
void send_one_by_one(Outbox &outbox, Sender &sender, long events, int gap)
{
	std::deque<Message> claimed;
	std::vector<std::string> delivered;
	for (long event = 1; event <= events; ++event) {
		std::this_thread::sleep_for(std::chrono::milliseconds(gap / 2 + std::rand() % gap));
		const auto now = std::chrono::system_clock::now().time_since_epoch();
		outbox.begin_turn(delivered, 1);
		outbox.end_turn(claimed, true);
		require(!claimed.empty(), "there are no more messages");
		sender.start(std::move(claimed.front()));
		claimed.clear();
		while (!sender.is_idle()) {
			sender.step(delivered);
			if (!sender.is_idle())
				sender.wait(outbox.socket());
		}
		std::printf("%ld\t%lld\n", event,
			static_cast<long long>(
				std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
	}
}

} // namespace

int main(int count, char **arguments)
{
	if (count < 4)
		return 2;
	curl_global_init(CURL_GLOBAL_ALL);
	const long events = std::atol(arguments[2]);
	const bool one_by_one = std::string_view(arguments[3]) == "one";
	const std::size_t connections = one_by_one ? 1 : std::strtoul(arguments[3], nullptr, 10);
	Outbox outbox;
	Sender sender(arguments[1], connections);
	if (one_by_one)
		send_one_by_one(outbox, sender, events, std::atoi(arguments[4]));
	else
		send_all(outbox, sender, events, connections);
}
