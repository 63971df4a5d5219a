INSERT INTO consistency_question (
    request_id, check_id, keeper, firsts, lasts, spelt_out, tries, asked_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
