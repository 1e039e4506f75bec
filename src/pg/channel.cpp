#include "pg/postgres.hpp"

#include "pg/channel.hpp"

#include "core/channel_options.hpp"
#include "core/failure.hpp"

namespace automation::pg {

namespace {

std::uint64_t generation = 1;

void channel_changed(::Datum, int, uint32)
{
	++generation;
}

// What is stored are strings, whatever was written.
core::Entries entries_of(List *options)
{
	core::Entries entries;
	for (int i = 0; i < list_length(options); ++i) {
		const auto *option = static_cast<const DefElem *>(list_nth(options, i));
		entries.push_back({option->defname, option->arg ? strVal(option->arg) : ""});
	}
	return entries;
}

ForeignDataWrapper *wrapper()
{
	return guard([] { return GetForeignDataWrapperByName(wrapper_name, true); });
}

void warn_of_secret(const std::string &option)
{
	guard([&] {
		ereport(WARNING, errcode(ERRCODE_WARNING),
			errmsg("option \"%s\" holds a secret in the clear", option.c_str()),
			errdetail("Logs, statistics and dumps of this server may show it."),
			errhint("Store it in a file of pg_automation.secrets_dir and write \"file:NAME\"."));
	});
}

void check_mapping(const core::Entries &options)
{
	for (const std::string &option : core::check_mapping_options(options))
		warn_of_secret(option);
}

bool may_use(Oid server, Oid role)
{
	return guard([&] { return pg_foreign_server_aclcheck(server, role, ACL_USAGE); }) ==
		ACLCHECK_OK;
}

// Null when there is no mapping.
List *mapping_options(Oid server, Oid user)
{
	return guard([&]() -> List * {
		const HeapTuple tuple = SearchSysCache2(
			USERMAPPINGUSERSERVER, ObjectIdGetDatum(user), ObjectIdGetDatum(server));
		if (!HeapTupleIsValid(tuple))
			return nullptr;
		bool none = false;
		const ::Datum options =
			SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &none);
		List *list = none ? NIL : untransformRelOptions(options);
		ReleaseSysCache(tuple);
		return list;
	});
}

bool has_mapping(Oid server, Oid user)
{
	return guard([&] {
		return SearchSysCacheExists2(
			USERMAPPINGUSERSERVER, ObjectIdGetDatum(user), ObjectIdGetDatum(server));
	});
}

DefElemAction action_of(OptionChange::Kind kind)
{
	switch (kind) {
	case OptionChange::Kind::add:
		return DEFELEM_ADD;
	case OptionChange::Kind::set:
		return DEFELEM_SET;
	case OptionChange::Kind::drop:
		break;
	}
	return DEFELEM_DROP;
}

// Inside a guard.
List *option_list(const OptionChange *changes, std::size_t count)
{
	List *options = NIL;
	for (const OptionChange *change = changes; change != changes + count; ++change) {
		Node *value = change->kind == OptionChange::Kind::drop
			? nullptr
			: reinterpret_cast<Node *>(makeString(pstrdup(change->value.c_str())));
		options = lappend(options,
			makeDefElemExtended(
				nullptr, pstrdup(change->name.c_str()), value, action_of(change->kind), -1));
	}
	return options;
}

std::string role_name(Oid role)
{
	const char *name = guard([&] { return GetUserNameFromId(role, true); });
	return name ? name : "?";
}

} // namespace

Datum validate_options(FunctionCallInfoBaseData *call)
{
	const Oid catalog = DatumGetObjectId(call->args[1].value);
	const core::Entries options =
		entries_of(guard([&] { return untransformRelOptions(call->args[0].value); }));
	if (catalog == ForeignDataWrapperRelationId) {
		core::parse_egress(options);
	} else if (catalog == ForeignServerRelationId) {
		const ForeignDataWrapper *ours = wrapper();
		core::check_server_options(
			options, core::parse_egress(entries_of(ours ? ours->options : NIL)));
	} else if (catalog == UserMappingRelationId) {
		check_mapping(options);
	} else {
		throw core::Failure(
			"42809", "foreign tables are not supported by foreign-data wrapper \"pg_automation\"");
	}
	return 0;
}

void map_public(const std::string &server, const std::vector<OptionChange> &changes)
{
	guard([&] {
		auto *everybody = makeNode(RoleSpec);
		everybody->roletype = ROLESPEC_PUBLIC;
		char *name = pstrdup(server.c_str());
		List *options = option_list(changes.data(), changes.size());
		const Oid oid = get_foreign_server_oid(name, false);
		if (SearchSysCacheExists2(
				USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(oid))) {
			auto *alter = makeNode(AlterUserMappingStmt);
			alter->user = everybody;
			alter->servername = name;
			alter->options = options;
			AlterUserMapping(alter);
		} else {
			auto *create = makeNode(CreateUserMappingStmt);
			create->user = everybody;
			create->servername = name;
			create->options = options;
			CreateUserMapping(create);
		}
	});
}

void follow_channels()
{
	guard([] {
		for (const int cache : {FOREIGNSERVEROID, USERMAPPINGOID, FOREIGNDATAWRAPPEROID})
			CacheRegisterSyscacheCallback(cache, channel_changed, 0);
	});
}

std::uint64_t channels_generation()
{
	return generation;
}

std::vector<Oid> channel_servers()
{
	static Statement find("SELECT s.oid FROM pg_foreign_server AS s JOIN pg_foreign_data_wrapper "
						  "AS w ON w.oid = s.srvfdw "
						  "WHERE w.fdwname = $1");
	Spi spi;
	const Rows rows = find.execute({Value::text(wrapper_name)});
	std::vector<Oid> servers;
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		servers.push_back(static_cast<Oid>(rows.integer(row, 1)));
	return servers;
}

core::Entries wrapper_options()
{
	const ForeignDataWrapper *ours = wrapper();
	return entries_of(ours ? ours->options : NIL);
}

core::Channel read_channel(Oid server)
{
	const ForeignServer *found =
		guard([&] { return GetForeignServerExtended(server, FSV_MISSING_OK); });
	if (!found)
		throw core::Failure("42704", "channel does not exist any more");
	core::Channel channel;
	channel.name = found->servername;
	channel.options = entries_of(found->options);
	channel.kind = core::kind_named(channel.option("channel")).value_or(core::Kind::webhook);
	return channel;
}

core::Channel read_channel(Oid server, Oid sender)
{
	core::Channel channel = read_channel(server);
	if (!may_use(server, sender))
		throw core::Failure("42501",
			"permission denied for foreign server " + channel.name + ": role \"" +
				role_name(sender) + "\" lacks USAGE");
	const Oid user = has_mapping(server, sender) ? sender : InvalidOid;
	channel.credentials = entries_of(mapping_options(server, user));
	return channel;
}

} // namespace automation::pg
