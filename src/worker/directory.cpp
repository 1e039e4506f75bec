#include "worker/directory.hpp"

#include "core/channel_options.hpp"
#include "core/provider.hpp"
#include "core/signature.hpp"
#include "pg/channel.hpp"
#include "pg/refusal.hpp"
#include "pg/settings.hpp"
#include "worker/secret.hpp"

namespace automation::worker {

namespace {

constexpr std::chrono::seconds secrets_stay_valid{1}; // a rotated one is picked up after that

// An SMS that has come twice cannot be told from two.
core::RetryPolicy policy_of(const core::Channel &channel)
{
	core::RetryPolicy policy;
	if (channel.kind == core::Kind::sms)
		policy.unknown = core::RetryPolicy::Unknown::hold;
	return core::parse_policy(channel.options, policy);
}

void resolve_secrets(Contact &contact, const std::string &host)
{
	const char *directory = pg::settings::secrets_directory;
	for (auto &[name, value] : contact.channel.credentials) {
		if (core::is_secret_reference(value))
			value = read_secret(directory ? directory : "", host, core::secret_name(value));
		if (name == "signing_secret")
			for (const std::string_view secret : core::signing_secrets(value))
				contact.secrets.emplace_back(secret);
		else if (name != "username")
			contact.secrets.push_back(value);
	}
}

} // namespace

bool Directory::refresh()
{
	egress_changed_ = false;
	if (generation_ == pg::channels_generation())
		return false;
	const core::Entries options = pg::wrapper_options();
	generation_ = pg::channels_generation();
	contacts_.clear();
	courses_.clear();
	if (egress_options_ != options) {
		const auto problem = pg::refusal([&] { egress_ = core::parse_egress(options); });
		if (problem)
			egress_ = {}; // nothing special is allowed
		egress_options_ = options;
		egress_changed_ = true;
	}
	return true;
}

const Contact &Directory::find(pg::Oid server, pg::Oid sender)
{
	Contact &contact = contacts_[{server, sender}];
	const auto now = std::chrono::steady_clock::now();
	if (now - contact.read_at > secrets_stay_valid) {
		contact = read(server, sender);
		contact.read_at = now;
	}
	return contact;
}

const Course &Directory::course(pg::Oid server)
{
	const auto [place, is_new] = courses_.try_emplace(server);
	Course &course = place->second;
	if (is_new) // of a channel that is gone or bad nothing is known: attempts will tell
		pg::refusal([&] {
			const core::Channel channel = pg::read_channel(server);
			course.host =
				core::check_url(core::base_url(channel), egress_.url_policy(channel.kind)).host;
			course.limits = core::parse_limits(channel.options);
			course.may_wait = channel.kind != core::Kind::email &&
				policy_of(channel).unknown == core::RetryPolicy::Unknown::repeat;
		});
	return course;
}

core::RetryPolicy Directory::policy(pg::Oid server, pg::Oid sender, const core::Entries &step)
{
	core::RetryPolicy policy = find(server, sender).policy;
	// What a step says was checked when the rule was made: what is bad now counts as not said.
	pg::refusal([&] { policy = core::parse_policy(step, policy); });
	return policy;
}

Contact Directory::read(pg::Oid server, pg::Oid sender) const
{
	Contact contact;
	contact.problem = pg::refusal([&] {
		contact.channel = pg::read_channel(server, sender);
		contact.policy = policy_of(contact.channel);
		const core::Url url = core::check_url(core::base_url(contact.channel),
			egress_.url_policy(contact.channel.kind)); // the policy may be newer
		resolve_secrets(contact, url.host);
		core::check_credentials(contact.channel);
	});
	return contact;
}

} // namespace automation::worker
