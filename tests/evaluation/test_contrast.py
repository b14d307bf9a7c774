from nmt.evaluation.contrast import parting


def test_the_mistake_is_where_both_sides_part():
    assert parting("der Mann schläft hier", "der Mann schlafen hier") == 2
    assert parting("a b", "c b") == 0
    assert parting("a b", "a b c") == 2 and parting("same", "same") == 1
