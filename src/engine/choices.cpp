#include "engine/choices.hpp"

#include "pg/identity.hpp"
#include "pg/spi.hpp"

namespace automation::engine {

namespace {

std::string logged_arm(std::int64_t run, const std::string &decision)
{
	static pg::Statement logged("SELECT automation._arm($1, $2)");
	const pg::ActAs identity = pg::ActAs::engine();
	pg::Spi spi;
	return logged.execute({pg::Value::int8(run), pg::Value::text(decision)})
		.text(0, 1)
		.value_or("");
}

} // namespace

bool Choices::took(const std::string &decision, const std::string &arm)
{
	return current_ && current_->arm_of(decision) == arm;
}

std::string Choices::arm_of(const std::string &decision) const
{
	for (const auto &[name, arm] : made_)
		if (name == decision)
			return arm;
	return logged_run_ == 0 ? std::string() : logged_arm(logged_run_, decision);
}

} // namespace automation::engine
