-- Takes away what was measured; nothing brings it back.
DROP TRIGGER keep_work_time ON workflow.work_items;
DROP FUNCTION workflow.keep_work_time();
DROP FUNCTION workflow.agreed_complexity(text);
DROP VIEW workflow.estimation_factor_effects, workflow.task_performance_trends,
    workflow.estimation_accuracy_by_project, workflow.execution_times;
DROP FUNCTION workflow.judge_executions(integer);
DROP FUNCTION workflow.get_recommended_estimate(
    text, text, text[], real, double precision, text, timestamptz);
DROP FUNCTION workflow.check_clock_by_hand(text, boolean);
DROP FUNCTION workflow.reopen_clock(text);
DROP FUNCTION workflow.stop_clock(text, text, double precision);
DROP FUNCTION workflow.end_execution(uuid, text, double precision);
DROP FUNCTION workflow.extend_clock(text, timestamptz);
DROP FUNCTION workflow.start_clock(
    text, text, text, text[], real, double precision, text, timestamptz);
DROP FUNCTION workflow.run_session(uuid, text, timestamptz);
DROP FUNCTION workflow.active_minutes(uuid);
DROP FUNCTION workflow.end_session(uuid);
DROP TABLE workflow.task_execution_factors, workflow.estimation_factors,
    workflow.time_tracking_sessions, workflow.task_executions, workflow.estimation_patterns;
DROP FUNCTION workflow.count_finished_execution();
DROP FUNCTION workflow.keep_execution();
DROP FUNCTION workflow.calculate_execution_metrics();
DROP FUNCTION workflow.update_estimation_pattern(text, text, double precision, double precision);
DROP FUNCTION workflow.reduce_estimation_pattern(text, text, double precision, double precision);
