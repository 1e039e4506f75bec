#include "pg/analysis.hpp"

#include "pg/definitions.hpp"
#include "pg/expression.hpp"

namespace automation::pg {

namespace {

// A renamed column of a related table must reach the text that prepare_query() makes.
void depend_on_relations(Query *query)
{
	List *relations = guard([&] {
		List *found = NIL, *others = NIL;
		bool has_row_security = false;
		extract_query_dependencies(
			reinterpret_cast<Node *>(copy_of(query)), &found, &others, &has_row_security);
		return found;
	});
	for (int i = 0; i < list_length(relations); ++i)
		depend_on(list_nth_oid(relations, i));
}

struct InUse {
	explicit InUse(bool &flag) : flag_(flag) { flag_ = true; }
	~InUse() { flag_ = false; }
	InUse(const InUse &) = delete;
	InUse &operator=(const InUse &) = delete;

private:
	bool &flag_;
};

} // namespace

struct Expression::Tree {
	Node *expression;
};

Expression::Expression(Oid function, const RowType &type) : row_type_(type.type())
{
	Tree tree{};
	guard([&] {
		body_ = body_of(function);
		Oid result = get_func_rettype(function);
		get_typlenbyval(result, &result_length_, &result_by_value_);
		needs_query_ = body_->commandType != CMD_SELECT || body_->hasSubLinks ||
			body_->jointree->fromlist != NIL;
		if (needs_query_)
			return;
		auto *target = linitial_node(TargetEntry, body_->targetList);
		auto *columns =
			parameters_to_columns(reinterpret_cast<Node *>(copy_of(target->expr)), &row_type_);
		tree.expression =
			reinterpret_cast<Node *>(expression_planner(reinterpret_cast<Expr *>(columns)));
	});
	if (needs_query_) {
		harmless_ = built_in_ = false;
		depend_on_relations(body_);
	} else {
		prepare_state(tree);
	}
}

// Splits off the conjuncts that the index answers and compiles what is left.
void Expression::prepare_state(Tree &tree)
{
	const bool is_condition = guard([&] { return exprType(tree.expression) == BOOLOID; });
	List *left = NIL;
	if (is_condition) {
		const Oid changed = guard([] { return changed_function(); });
		List *conjuncts =
			guard([&] { return make_ands_implicit(reinterpret_cast<Expr *>(tree.expression)); });
		for (int i = 0; i < list_length(conjuncts); ++i) {
			auto *conjunct = static_cast<Node *>(list_nth(conjuncts, i));
			Equality equality{};
			if (const int column = watched_column(conjunct, changed))
				watched_.push_back(column);
			else if (guard([&] { return as_equality(conjunct, &equality); }))
				equalities_.push_back(equality);
			if (!watched_column(conjunct, changed))
				left = guard([&] { return lappend(left, conjunct); });
		}
	} else {
		left = guard([&] { return list_make1(tree.expression); });
	}
	auto *rest = reinterpret_cast<Node *>(left);
	guard([&] {
		built_in_ = !calls_user_code(rest);
		settings_matter_ = writes_by_settings(rest, nullptr);
		harmless_ = built_in_ && is_condition && !can_fail(rest);
		if (left == NIL)
			return;
		executor_ = CreateExecutorState();
		MemoryContext before = MemoryContextSwitchTo(executor_->es_query_cxt);
		state_ = is_condition ? ExecInitQual(left, nullptr)
							  : ExecInitExpr(static_cast<Expr *>(linitial(left)), nullptr);
		MemoryContextSwitchTo(before);
	});
}

Expression::Expression(Expression &&other) noexcept
	: equalities_(std::move(other.equalities_)), watched_(std::move(other.watched_)),
	  harmless_(other.harmless_), built_in_(other.built_in_),
	  settings_matter_(other.settings_matter_), state_(other.state_),
	  executor_(std::exchange(other.executor_, nullptr)), body_(other.body_),
	  row_type_(other.row_type_), result_length_(other.result_length_),
	  result_by_value_(other.result_by_value_), plan_(std::exchange(other.plan_, nullptr)),
	  needs_query_(other.needs_query_)
{
}

Expression::~Expression()
{
	if (executor_)
		detail::run_guarded_noexcept(
			[](void *executor) { FreeExecutorState(static_cast<EState *>(executor)); }, executor_);
	if (plan_)
		detail::run_guarded_noexcept(
			[](void *plan) { SPI_freeplan(static_cast<SPIPlanPtr>(plan)); }, plan_);
}

bool Expression::holds(const RowChange &change) const
{
	for (const int column : watched_)
		if (!change.changed(column))
			return false;
	if (needs_query_ || in_use_) {
		const std::optional<Datum> verdict = query(change);
		return verdict && *verdict != 0;
	}
	if (!state_)
		return true;
	const InUse in_use(in_use_);
	return guard([&] {
		ExprContext *context = GetPerTupleExprContext(executor_);
		context->ecxt_innertuple = change.old_row();
		context->ecxt_outertuple = change.new_row();
		const bool verdict = ExecQual(state_, context);
		ResetExprContext(context);
		return verdict;
	});
}

std::optional<Datum> Expression::value(const RowChange &change) const
{
	if (needs_query_ || in_use_)
		return query(change);
	const InUse in_use(in_use_);
	struct Outcome {
		::Datum value;
		bool is_null;
	};
	const Outcome outcome = guard([&] {
		ExprContext *context = GetPerTupleExprContext(executor_);
		context->ecxt_innertuple = change.old_row();
		context->ecxt_outertuple = change.new_row();
		bool is_null = false;
		::Datum value = ExecEvalExprSwitchContext(state_, context, &is_null);
		if (!is_null)
			value = datumCopy(value, result_by_value_, result_length_);
		ResetExprContext(context);
		return Outcome{value, is_null};
	});
	return outcome.is_null ? std::nullopt : std::optional(outcome.value);
}

void Expression::prepare_query()
{
	guard([&] {
		MemoryContext caller = CurrentMemoryContext;
		const char *command = qualified_text(body_);
		Oid types[] = {row_type_, row_type_, TIDOID, OIDOID};
		SPIPlanPtr plan = SPI_prepare(command, table_parameter, types);
		if (!plan || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare: %s", command);
		plan_ = plan;
		MemoryContextSwitchTo(caller);
	});
}

std::optional<Datum> Expression::query(const RowChange &change) const
{
	const std::optional<Datum> before = change.old_value(), after = change.new_value();
	const Place place = change.place();
	const Datum tid = tid_of(place);
	struct Outcome {
		::Datum value;
		bool is_null;
	};
	const Spi spi;
	if (!plan_)
		const_cast<Expression *>(this)->prepare_query();
	const Outcome outcome = guard([&] {
		MemoryContext caller = CurrentMemoryContext;
		::Datum values[] = {
			before.value_or(0), after.value_or(0), tid, ObjectIdGetDatum(place.table)};
		const char known = place ? ' ' : 'n';
		const char nulls[] = {before ? ' ' : 'n', after ? ' ' : 'n', known, known, '\0'};
		const int code = SPI_execute_plan(plan_, values, nulls, false, 0);
		if (code < 0)
			elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(code));
		MemoryContextSwitchTo(caller);
		if (SPI_processed == 0 || !SPI_tuptable)
			return Outcome{0, true};
		bool is_null = false;
		const ::Datum value =
			SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
		return Outcome{
			is_null ? value : datumCopy(value, result_by_value_, result_length_), is_null};
	});
	return outcome.is_null ? std::nullopt : std::optional(outcome.value);
}

std::string text_of(Datum value, Oid type)
{
	return guard([&]() -> const char * {
		Oid output = InvalidOid;
		bool is_varlena = false;
		getTypeOutputInfo(type, &output, &is_varlena);
		return OidOutputFunctionCall(output, value);
	});
}

} // namespace automation::pg
