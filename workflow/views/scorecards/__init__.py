"""The pages of results: the ranking, a scorecard with its explanations, recording facts, and the leader's signature."""

from django.urls import path

from workflow.views.scorecards.card import finish, scorecard, scorecards
from workflow.views.scorecards.findings import record, void
from workflow.views.scorecards.full import judge_full
from workflow.views.scorecards.results import open_scorecards, results
from workflow.views.scorecards.signing import reopen, send_back, sign, sign_list

urlpatterns = [
    path("results/", results, name="results"),
    path("scorecards/", scorecards, name="scorecards"),
    path("scorecards/open/<int:version_id>/", open_scorecards, name="open_scorecards"),
    path("scorecards/<int:card_id>/", scorecard, name="scorecard"),
    path("scorecards/<int:card_id>/finish/", finish, name="scorecard_finish"),
    path("scorecards/<int:card_id>/findings/new/", record, name="scorecard_finding"),
    path("scorecards/<int:card_id>/findings/<int:finding_id>/void/", void, name="scorecard_void"),
    path("scorecards/<int:card_id>/full/", judge_full, name="scorecard_full"),
    path("scorecards/<int:card_id>/sign/", sign, name="scorecard_sign"),
    path("scorecards/<int:card_id>/sign/back/", send_back, name="scorecard_send_back"),
    path("scorecards/<int:card_id>/sign/reopen/", reopen, name="scorecard_reopen"),
    path("sign/", sign_list, name="sign"),
]
