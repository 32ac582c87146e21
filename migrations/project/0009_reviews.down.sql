DROP VIEW workflow.steps;
DROP TABLE workflow.disputes, workflow.work_review_rounds, workflow.work_reviews, workflow.work_settings;
DROP FUNCTION workflow.check_review_change(), workflow.check_review_round(),
    workflow.review_by_rounds(text), workflow.last_reasoning(text, text), workflow.hold_review(),
    workflow.check_dispute_change(), workflow.agreed_complexity(double precision, double precision),
    workflow.review_of(text);
