#include "pg/analysis.hpp"

#include "pg/expression.hpp"
#include "pg/object.hpp"
#include "pg/readable.hpp"
#include "pg/stored_query.hpp"

namespace automation::pg {

namespace {

struct InUse {
	explicit InUse(bool &flag) : flag_(flag) { flag_ = true; }
	~InUse() { flag_ = false; }
	InUse(const InUse &) = delete;
	InUse &operator=(const InUse &) = delete;

private:
	bool &flag_;
};

// What expressions are evaluated in: one for each depth to which rules set each other off.
class Frame {
public:
	Frame() : context_(depth_ < kept ? contexts_[depth_] : nullptr)
	{
		if (!context_)
			context_ = make();
		++depth_;
	}
	~Frame() { --depth_; }
	Frame(const Frame &) = delete;
	Frame &operator=(const Frame &) = delete;

	ExprContext *context() const { return context_; }

private:
	static ExprContext *make()
	{
		const bool keep = depth_ < kept;
		ExprContext *made = guard([&] {
			MemoryContext before =
				MemoryContextSwitchTo(keep ? TopMemoryContext : CurrentMemoryContext);
			ExprContext *context = CreateStandaloneExprContext();
			MemoryContextSwitchTo(before);
			return context;
		});
		if (keep)
			contexts_[depth_] = made;
		return made;
	}

	static constexpr int kept = 8;
	static inline ExprContext *contexts_[kept] = {};
	static inline int depth_ = 0;
	ExprContext *context_;
};

} // namespace

Expression::Expression(Oid function, const RowType &type)
	: function_(function), row_type_(type.type())
{
	basis_.rest_on_relation(type.relation());
	basis_.rest_on_function(function_);
	basis_.renew();
	List *parts = take_apart(type);
	if (parts != NIL)
		compile(parts);
	if (needs_query_) {
		harmless_ = built_in_ = false;
		settings_matter_ = true;
		query_ = std::make_unique<StoredQuery>(Asked{function_, row_type_});
		query_->check();
	}
	size_ = MemoryContextMemAllocated(memory_.context(), true) +
		(planned_ ? MemoryContextMemAllocated(planned_->context, true) : 0) +
		(query_ ? query_->size() : 0);
	memory_in_use_ += size_;
}

// What of the body can be evaluated without a query: of a condition, its conjuncts.
List *Expression::take_apart(const RowType &type)
{
	return guard([&]() -> List * {
		Query *body = body_of(function_);
		require_readable(body, type.relation());
		const Oid result = get_func_rettype(function_);
		get_typlenbyval(result, &result_length_, &result_by_value_);
		is_condition_ = result == BOOLOID;
		needs_query_ = body->commandType != CMD_SELECT || body->jointree->fromlist != NIL;
		if (needs_query_)
			return NIL;
		auto *whole = reinterpret_cast<Node *>(linitial_node(TargetEntry, body->targetList)->expr);
		List *parts = is_condition_ ? conjuncts_in(whole) : list_make1(whole);
		List *plain = plain_ones(parts, row_type_);
		needs_query_ = list_length(plain) < list_length(parts);
		return plain;
	});
}

// Plans them, takes the watched columns out of a condition, and compiles what is left.
void Expression::compile(List *parts)
{
	planned_.reset(guard([&] { return GetCachedExpression(reinterpret_cast<Node *>(parts)); }));
	auto *planned = reinterpret_cast<List *>(planned_->expr);
	List *left = NIL;
	const Oid changed = guard([] { return changed_function(); });
	for (int i = 0; i < list_length(planned); ++i) {
		auto *part = static_cast<Node *>(list_nth(planned, i));
		if (const int column = is_condition_ ? watched_column(part, changed) : 0)
			watched_.push_back(column);
		else
			left = guard([&] { return lappend(left, part); });
	}
	List *functions = guard([&] { return functions_in(planned_->expr); });
	for (int i = 0; i < list_length(functions); ++i)
		basis_.rest_on_function(list_nth_oid(functions, i));
	basis_.renew();
	const InMemory inside(memory_);
	guard([&] {
		auto *rest = reinterpret_cast<Node *>(left);
		built_in_ = !calls_user_code(rest);
		settings_matter_ = writes_by_settings(rest, nullptr);
		harmless_ = built_in_ && is_condition_ && !can_fail(rest);
		left = reinterpret_cast<List *>(with_quick_objects(rest));
		if (left != NIL)
			state_ = is_condition_ ? ExecInitQual(left, nullptr)
								   : ExecInitExpr(static_cast<Expr *>(linitial(left)), nullptr);
	});
}

Expression::~Expression()
{
	memory_in_use_ -= size_;
}

void Expression::FreePlanned::operator()(CachedExpression *planned) const noexcept
{
	FreeCachedExpression(planned); // which cannot fail
}

bool Expression::is_current() const
{
	return basis_.stands() && (!planned_ || planned_->is_valid);
}

bool Expression::holds(const RowChange &change) const
{
	for (const int column : watched_)
		if (!change.changed(column))
			return false;
	const bool busy = in_use_ && state_;
	if (!busy && state_ && evaluate(change).value == 0)
		return false;
	if (!busy && !needs_query_)
		return true;
	const std::optional<Datum> verdict = query(change);
	return verdict && *verdict != 0;
}

std::optional<Datum> Expression::value(const RowChange &change) const
{
	if (needs_query_ || in_use_)
		return query(change);
	const Outcome outcome = evaluate(change);
	return outcome.is_null ? std::nullopt : std::optional(outcome.value);
}

Expression::Outcome Expression::evaluate(const RowChange &change) const
{
	const InUse in_use(in_use_);
	const Frame frame;
	ExprContext *context = frame.context();
	return guard([&] {
		context->ecxt_innertuple = change.old_row();
		context->ecxt_outertuple = change.new_row();
		Outcome outcome{0, false};
		if (is_condition_)
			outcome.value = BoolGetDatum(ExecQual(state_, context));
		else
			outcome.value = ExecEvalExprSwitchContext(state_, context, &outcome.is_null);
		if (!outcome.is_null)
			outcome.value = datumCopy(outcome.value, result_by_value_, result_length_);
		ResetExprContext(context);
		return outcome;
	});
}

std::optional<Datum> Expression::query(const RowChange &change) const
{
	if (!query_)
		query_ = std::make_unique<StoredQuery>(Asked{function_, row_type_});
	return query_->value(change.old_value(), change.new_value(), change.place());
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
