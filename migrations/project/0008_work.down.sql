DROP VIEW workflow.epics, workflow.issues, workflow.tasks, workflow.steps, workflow.audit_log;
DROP TABLE workflow.disputes, workflow.work_review_rounds, workflow.work_reviews, workflow.comments,
    workflow.work_history, workflow.work_links, workflow.work_items, workflow.work_transitions,
    workflow.work_statuses, workflow.work_kinds, workflow.work_graph, workflow.work_settings;
DROP SEQUENCE workflow.work_numbers;
DROP FUNCTION workflow.new_work_id(), workflow.work_key_between(numeric, numeric),
    workflow.work_progress(text), workflow.work_reaches(text, boolean, text, boolean, text),
    workflow.add_work_blockers(text[], integer), workflow.share_work_parent(text),
    workflow.check_new_work(), workflow.check_work_change(), workflow.follow_work_change(),
    workflow.record_work_history(), workflow.follow_work_link(), workflow.delete_work(text, integer, text, text),
    workflow.restore_work(text, integer, text, text), workflow.take_work_graph(),
    workflow.lock_work_graph(), workflow.refuse_late_heartbeat(), workflow.check_review_change(),
    workflow.check_review_round(), workflow.review_by_rounds(text),
    workflow.last_reasoning(text, text), workflow.hold_review(),
    workflow.check_dispute_change(), workflow.agreed_complexity(double precision, double precision),
    workflow.review_of(text);
DROP DOMAIN workflow.moment;
