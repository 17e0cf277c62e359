"""What American practices write beside a consent to care management: agreements, and what sounds like one and is none."""

AGREED = """
Verbal consent obtained for CCM
Verbal consent obtained from patient to participate in CCM on 3/4/2026
CCM: patient agreed
Patient agreed to CCM; verbalized understanding of cost share
Pt agrees to CCM services
Patient verbally agrees to participate in the CCM program
Patient accepts CCM services
Pt accepted enrollment in CCM
Patient wants to enroll in CCM
Patient wants to join the CCM program
Wants CCM services
Patient would like to enroll in CCM
Patient would like to participate in chronic care management
Patient wishes to participate in CCM
Patient understands and agrees to CCM
Patient informed of CCM, understands and agrees
Patient informed of CCM services, cost sharing and the right to stop at any time; verbal consent given
Patient was educated about CCM and has consented
Informed consent for CCM obtained verbally
Informed consent obtained - CCM
CCM consent on file
CCM consent form signed 3/4/2026
Signed CCM consent scanned to chart
Signed consent for Chronic Care Management received
CCM agreement signed by patient
Patient signed CCM agreement
Written consent for CCM on file, dated 3/4/2026
E-signature obtained for CCM consent
CCM: patient e-signed consent via portal
Verbal consent to CCM documented by J. Smith RN
Consented patient for CCM by phone
Dr. Smith obtained verbal consent for CCM
Enrolled in CCM 3/4/2026
Patient enrolled in CCM by RN
Patient opted in to CCM
Opt-in CCM
Patient elects to participate in CCM
Patient chose to enroll in CCM
Patient gave verbal permission for CCM
Patient authorizes Dr. Lee to provide CCM services
I authorize the practice to provide chronic care management
I agree to receive CCM services
I consent to participate in the CCM program and understand that a copay may apply
By signing below I agree to participate in CCM
Patient is in agreement with CCM
Pt agreeable to CCM
Patient is agreeable to enrolling in CCM
Patient willing to participate in CCM, verbal consent obtained
Discussed CCM with patient and daughter; patient agrees
Patient and daughter agree to CCM
Daughter (POA) consents to CCM on his behalf
Healthcare proxy (son) gave verbal consent for CCM
Wife, health care POA, signed CCM consent
Daughter present. Patient consented to CCM.
Legal guardian consented to CCM
Patient agrees to CCM; questions answered
Does patient consent to CCM? Yes
Consent to CCM? Y
CCM consent: Y
CCM consent = yes, verbal
Patient agreed to CCM after discussing it with her daughter
CCM explained prior to enrollment; patient agreed
Patient agreed to CCM and to a call next week
Consent for CCM obtained; will mail copy of care plan
CCM consent reviewed and signed by patient
CCM consent (verbal), Mary Jones, 3/4/2026, I10 E11.9
Chronic Care Management Enrollment Agreement
CCM enrollment form
CCM consent and authorization
Consent for Chronic Care Management Services form
Patient agrees with CCM
Patient says yes to CCM
Pt ok with CCM, verbal consent
Pt provided verbal consent to enroll in CCM
CCM verbal consent documented
Verbal consent: Patient verbally consented to CCM services on 03/04/2026
The patient gave verbal consent to be enrolled in the Chronic Care Management program
Patient was offered CCM services and has agreed to participate
Explained CCM services including cost-sharing. Patient verbalized understanding and consents to enrollment.
Discussed CCM program with pt. Pt expressed interest and gave verbal consent.
Pt gave VC for CCM, verbal consent recorded on call
Patient has been informed that only one practitioner can furnish CCM services during a calendar month. Patient agrees.
CCM consent obtained via telephone by MA
Consent signed at AWV for CCM
Patient accepted the CCM program and signed consent form
Patient has signed the Chronic Care Management consent
Pt enrolled in CCM; consent on file
Patient agreed to be enrolled in CCM
Patient consented to receive CCM services and to sharing of records
I, Mary Jones, agree to participate in the chronic care management program
I hereby consent to Chronic Care Management services provided by Dr. Lee
I give my consent for CCM
I have read and understand the above and agree to enroll in CCM
Patient accepts CCM, knows copay of $15 may apply
Patient/POA agrees to CCM
Consent given by POA daughter Ann for CCM
CCM consent by healthcare proxy
Verbal consent received from patient
Consent received: CCM
CCM enrollment consent - verbal
Telephone consent CCM
CCM authorization form signed
Chronic care mgmt consent form - signed
Consent CCM signed 3.4.26
CCM verbal consent 3/4/26 LRN
Chronic Care Management Patient Consent and Agreement
Patient consent for CCM (scanned)
Consent to treat and CCM consent
Pt consents to CCM svcs
Patient would like to start CCM
Patient wants to receive CCM services
Patient wants to start the CCM program, consent signed
Yes, I want to participate in CCM
Yes - CCM
Pt said yes to CCM enrollment
CCM consent: obtained
CCM consent status: signed
CCM Consent Status: Active
CCM accepted
CCM enrolled
CCM program - enrolled 3/4/2026
Opted into CCM
Patient approves CCM services
Questions answered, patient agrees to CCM
Patient had no questions and agreed to CCM
Patient asked about cost; agreed to CCM
Patient reviewed and signed the CCM consent
CCM consent discussed and obtained
CCM discussed, consent obtained
Consent for CCM was discussed with the patient and verbal consent was given
Patient agreed to CCM, would like calls in the afternoon
Patient agreed to CCM. Will call next month.
Patient agreed to CCM; daughter wants copy of care plan
CCM consent renewed 1/5/2026
Reconsented for CCM 2026
Verbal agreement to CCM obtained
Patient in agreement with CCM plan and gave consent
CCM: pt consents, understands cost share & may stop anytime
Per patient, consents to CCM
Chronic care mgmt consented 3/4/26
Pt states she would like to participate in CCM
CCM Enrollment: Patient consented verbally today
Consent obtained today for chronic care management by L. Ruiz, CMA
Pt ok'd CCM, verbal consent
Patient accepts enrollment and understands he can stop at any time
Patient signed and returned CCM consent
CCM consent form completed and signed
CCM consent - signed copy in chart
Patient verbally agrees to enroll; cost share reviewed
Permission given for CCM
Patient granted permission for CCM services
Patient consented to CCM; next call scheduled
Consented via telephone, CCM
CCM consent verified
CCM consent confirmed 1/2026
Obtained verbal consent to provide CCM services
Patient elected to enroll in CCM
Pt is participating in CCM
Joined CCM program 2/2026
Patient happy to participate in CCM, verbal consent given
Patient agrees to monthly CCM calls
Patient agrees to have Dr. Lee bill CCM
I acknowledge and agree to CCM
I wish to enroll in CCM
Consent for non-face-to-face care management (CCM)
Patient verbally consented to CCM services
Patient agrees to CCM
Pt agrees to participate in CCM
Patient agreed to enroll in CCM program
Pt enrolled in CCM
Patient wants to join CCM and gave consent
Patient wants CCM services
Wants CCM
Patient informed of CCM and agrees to participate
Informed consent obtained for CCM
Informed verbal consent for CCM
CCM consent signed
CCM consent form signed and scanned
Consent on file for CCM
Signed CCM agreement
CCM agreement signed
CCM agreement
CCM enrollment
CCM enrollment form signed
Enrolled in CCM 3/4/26
Enrollment in Chronic Care Management
Participation agreement for CCM
CCM participation consent
CCM opt-in
Opt in: CCM
CCM: yes
Accepts CCM services
Patient accepts CCM
Patient authorizes CCM services
CCM authorization signed
Authorization for chronic care management services
Written consent for CCM received
Verbal consent given by patient for CCM on 2/3/2026, copay explained
Patient elected to participate in CCM
POA consents to CCM on behalf of patient
Daughter (POA) agreed to CCM for patient
CCM consent renewed
CCM re-consent obtained after PCP change
Yes to CCM
Patient was informed of CCM, cost sharing, right to stop at any time, and only one practitioner may bill; consent given
CCM consent obtained at AWV
CCM consent - verbal
CCM consent - written
Verbal CCM consent documented in chart
I consent to CCM
I hereby agree to receive CCM services
By signing below I agree to CCM
Patient signed up for CCM
Joined CCM
CCM Verbal Consent
CCM Consent Form
Chronic Care Management Consent Form - signed 02/14/2026
CCM Patient Agreement
Patient Agreement for Chronic Care Management Services
Consent for Chronic Care Management Services (CCM)
Consent to receive CCM services
Consent, CCM, verbal
CCM - verbal consent obtained by phone
VC obtained for CCM, consent documented
Pt gave VC and agrees to CCM, aware of copay
Patient consents to CCM and understands cost-sharing
Agrees w/ CCM enrollment
Consented to CCM on 2/3/26 during AWV
Pt agreed to CCM enrollment, info packet mailed
Consent for CCM: obtained
CCM consent: verbal, 3/1/2026
Patient has been informed about CCM and consents
Patient enrolled today in CCM
Patient enrolled in CCM and RPM
Verbal consent for CCM and RPM obtained
CCM/PCM consent
PCM consent signed
Consent to Principal Care Management
"""

NOT_AGREED = """
Patient informed of CCM
Patient informed of CCM program and cost share
Informed patient about chronic care management
Informed of CCM benefits
Patient understands CCM
Patient understands CCM is available
Patient verbalized understanding of CCM
Understands copay for CCM
Patient wants to think about CCM
Patient wants more information on CCM
Wants more info about CCM
Patient wants to discuss CCM with daughter
Patient wants to talk to spouse before CCM
Wants CCM brochure
Patient wants to know what CCM costs
Patient wants to read about CCM first
Wants time to consider CCM
Patient would like more information about CCM
Patient would like to wait on CCM
Patient agreed to think about CCM
Patient agrees to consider CCM
Patient agreed to a call back about CCM
Patient agrees to discuss CCM at next visit
Patient accepted CCM brochure
Accepted information on CCM
Patient will sign CCM consent next visit
Will sign consent at next visit - CCM
Patient plans to enroll in CCM
Patient will enroll in CCM next month
CCM consent to be signed at AWV
Will obtain CCM consent at next appointment
Plan: obtain consent for CCM
Patient to sign CCM consent form
Obtain CCM consent at follow up
Needs to sign CCM form
Patient has yet to sign CCM consent
Patient failed to sign CCM consent
Patient forgot to sign CCM consent
Daughter agrees to CCM
Daughter wants patient to enroll in CCM
Wife signed CCM form
Son consents to CCM
Husband agreed to CCM for patient
Provider agrees patient is appropriate for CCM
Dr. Smith approved CCM
PCP wants patient enrolled in CCM
CCM approved by Medicare
Insurance authorized CCM
Prior authorization for CCM approved
Patient agrees to CCM?
Does patient agree to CCM?
Has patient signed consent for CCM?
Did patient consent to CCM
Is patient enrolled in CCM?
Ask patient if she agrees to CCM
Asked patient to sign CCM consent
Asked patient to enroll in CCM
Patient encouraged to enroll in CCM
Patient invited to join CCM
Eligible to enroll in CCM
Patient eligible for CCM enrollment
Candidate for CCM enrollment
Recommended patient enroll in CCM
Discussed enrolling in CCM with patient
Discussed CCM consent with patient and daughter
CCM agreement discussed with patient
Reviewed CCM consent with patient
CCM consent reviewed with patient
CCM consent explained
Explained CCM consent; patient verbalized understanding
Patient given CCM consent form
CCM consent form given
CCM consent form handed to patient to take home
Mailed CCM consent form to patient
Gave patient CCM consent form to sign
Consent form emailed, CCM
Patient took CCM consent form home
Left message regarding CCM consent
Called patient regarding CCM enrollment
Patient agrees to CCM if no copay
Patient will agree to CCM if covered by insurance
Would agree to CCM if free
Patient agrees to CCM only if insurance covers it
Patient agrees to CCM as long as there is no cost
Patient would consent to CCM once labs are back
Patient agrees provided there is no copay for CCM
CCM note electronically signed by Dr. Smith
CCM care plan signed
CCM - vital signs reviewed
CCM: signs and symptoms reviewed
HIPAA form signed; CCM discussed
Patient enrolled in patient portal; CCM discussed
Accepts Medicare assignment; CCM
Eligible for CCM: Yes
CCM discussed: yes
CCM brochure given: Yes
Patient dosent agree to CCM
Patient does no agree to CCM
Pt did nto agree to CCM
Patient doesnot consent to CCM
CCM consent decilned
CCM consent delcined
CCM consent refsued
CCM concent obtaned
Patient unsure about CCM enrollment
Patient neither agreed nor signed CCM form
Patient wants to enroll in CCM next year
Patient wants to sign up for CCM after speaking with son
Wants to enroll husband in CCM
Husband enrolled in CCM
CCM consent template
CCM consent process
Sample CCM consent
CCM consent requested
CCM consent sought
CCM consent attempted
Attempted to obtain CCM consent
Tried to get CCM consent
CCM consent due
CCM consent follow up
CCM consent questions
CCM consent - patient has questions
Patient agrees CCM is a good program
Patient agrees that CCM sounds helpful
Patient aware of CCM
Patient made aware of CCM program
Patient educated on CCM
Educated patient regarding CCM consent
Patient given information regarding CCM enrollment
Patient verbalized understanding of CCM consent
Patient acknowledges CCM information
Pt notified of CCM
Spoke with patient about CCM enrollment
Patient interested in enrolling in CCM
Patient is a good candidate for CCM
Meets criteria for CCM enrollment
Patient qualifies for CCM; consent needed
Awaiting CCM consent
CCM consent outstanding
Consent not returned for CCM
CCM consent not received
CCM consent form at front desk
CCM consent letter mailed
CCM consent form in portal for signature
Sent CCM consent via DocuSign
DocuSign sent for CCM consent
Patient wants daughter to review CCM consent
Patient wants to look over the CCM consent form
Patient will think about it and call back - CCM
Patient will let us know about CCM
Patient will decide on CCM at next visit
Patient wants to check with insurance about CCM
Patient wants to see if insurance covers CCM
Patient wants to know if CCM is free
Patient wants CCM explained again
Wants CCM info mailed
Patient would like a CCM brochure
Patient asked for time to consider CCM
Patient requests more information on CCM
Patient agrees to receive CCM information
Patient agrees to listen to CCM info
Patient agrees to speak with CCM nurse
Patient agrees to meet CCM coordinator
Agreed to revisit CCM
Patient agreed to take CCM consent form home
Patient agrees to have CCM mailed to her
Daughter is in agreement with CCM
Caregiver signed CCM consent
Daughter verbally consented to CCM
Consent obtained from wife for CCM
CCM consent signed by husband
Spoke to son who agreed to CCM
Per daughter, patient agrees to CCM
Daughter says patient would want CCM
MD agrees with CCM
Doctor signed CCM form
CCM order signed
CCM ordered
CCM referral accepted
Referral to CCM accepted by nurse
CCM enrollment approved
Approved for CCM
Patient approved for CCM
CCM copay accepted by secondary insurance
Patient to enroll in CCM
Enroll patient in CCM
Sign up for CCM
Sign CCM consent
Obtain consent
Get CCM consent signed
Follow up for CCM consent signature
F/u CCM enrollment
Discuss CCM consent next OV
Consent for CCM tomorrow
CCM consent next visit
CCM consent appt 3/4
Scheduled for CCM enrollment visit
CCM enrollment call scheduled
CCM enrollment in progress
CCM consent in progress
CCM consent started
CCM consent partially completed
CCM enrollment attempted x3
Unable to leave message re CCM consent
No CCM consent yet
Consent? CCM
CCM enrolled?
CCM consent (?)
CCM consent - ???
Agreeable to CCM??
Ready to sign CCM?
Interested? Yes CCM
Agree / disagree CCM
Patient does'nt agree to CCM
Pt didnt sign CCM consent
Pt has not signed CCM
Patient did not give consent for CCM
Patient agrees CCM would help but wants to wait
Patient agrees but not ready to sign CCM
Patient hesitates to sign CCM
Patient on the fence about CCM
Patient leaning toward CCM enrollment
Probably will enroll in CCM
May enroll in CCM
Might join CCM
CCM consent declind
CCM consent refuesd
CCM consent revokd
CCM consent withdrwan
CCM consent cancled
CCM agrement
Un-consented CCM
Consent for surgery; CCM offered
Consent to treat; CCM discussed
CCM; HIPAA consent signed
CCM; consent for telehealth signed
BHI consent signed; CCM offered
Photo release signed. CCM reviewed.
General consent to treat signed 1/1/2026; CCM brochure given
Pt knows about CCM
CCM program flyer handed out
Provided education re: CCM, will readdress
Reviewed benefits of CCM enrollment
CCM consent process reviewed
CCM enrollment status unknown
Patient to discuss CCM enrollment with family
Family to decide on CCM
Pt will sign up for CCM later
Consent visit scheduled CCM
CCM consent to follow
CCM consent overdue
Verbal consent not documented for CCM
Cannot locate CCM consent
CCM consent lost
CCM consent not scanned
No documentation of CCM consent
Daughter gave verbal consent for CCM
Granddaughter signed for CCM
Home health aide agreed to CCM
Facility nurse agrees to CCM
Patient agreed to labs; CCM offered
Patient accepted referral; CCM discussed
Patient signed ROI; CCM
Patient signed in; CCM
Patient consents to flu shot. CCM reviewed
Patient agrees with plan of care. CCM
Patient agrees to follow up. CCM brochure given.
Patient agrees to take meds. Discussed CCM.
Patient verbalized agreement with care plan; CCM
Patient enrolled in Medicaid. Offered CCM.
Agrees CCM may help
Can we enroll patient in CCM
Wants CCM only if free
Wants CCM if copay waived
Patient wants CCM but cannot afford it
Patient wanted CCM last year
Patient used to be enrolled in CCM
Previously enrolled in CCM
Previously agreed to CCM with Dr. Jones
Formerly consented CCM
Enrolled in CCM with cardiology
Enrolled in CCM at another clinic
Signed CCM consent at prior PCP
Consent obtained in error CCM
CCM consent obtained for wrong patient
CCM consent wrong patient
Duplicate CCM consent
Test CCM consent
Patient too confused to agree to CCM
Patient lacks capacity to consent to CCM
CCM consent could not be obtained
Consent not on file CCM
Patient agreed to consider enrollment CCM
Pt agreeable to discussing CCM
Patient agrees to be contacted about CCM
Patient agreed to a CCM consult
Patient informed about CCM program and copay
Informed patient of CCM services
Patient wants more information about CCM
Patient wants to know the cost of CCM
Patient wants a call back about CCM
Patient understands the CCM copay
Requested consent for CCM
Asked patient for CCM consent
Consent for CCM to be signed at next visit
Will sign CCM consent next visit
Patient will sign CCM form at next appointment
Patient needs to sign CCM consent
CCM consent needs signature
CCM consent - awaiting signature
CCM signature needed
CCM consent packet mailed
CCM consent packet given to patient
CCM consent form left at front desk
CCM enrollment packet mailed
CCM enrollment letter sent
CCM enrollment discussed
Discussed enrollment in CCM with patient
Discussed participation in CCM
Participation in CCM explained
Consent for CCM will be obtained at AWV
Obtain CCM consent at next visit
Call patient to obtain CCM consent
Attempted to obtain CCM consent, left voicemail
Attempted CCM consent
Daughter agrees to CCM, patient undecided
Patient will consider joining CCM
Patient may enroll in CCM next month
Patient might accept CCM
Does patient consent to CCM?
Consent to CCM?
Patient agreed to receive information on CCM
Patient signed HIPAA form; CCM discussed
Eligible for CCM enrollment
Recommend CCM enrollment
Encouraged patient to enroll in CCM
Invited to join CCM
Patient asked how to join CCM
Authorization for CCM required from insurance
Prior authorization for CCM
CCM consent expires 1/1/2026
Education on informed consent for CCM given
Patient would like to join CCM when he is home from rehab
Consents for CCM at a later date
CCM consent obtained from wrong patient
Consent for telehealth obtained; CCM brochure given
Patient consents to telehealth. CCM discussed.
Signed consent for surgery, CCM offered
Voicemail left re: CCM enrollment
Left message for patient to call about CCM enrollment
CCM agreement mailed
CCM agreement handed to patient
CCM consent script read
CCM consent attempt #2
Patient undecided about CCM consent
If patient agrees to CCM
Ask about CCM consent
Enroll in CCM
CCM consent renewal due
CCM consent reviewed with patient, will decide
Consent conversation about CCM
CCM education given, informed consent form reviewed
Consent for CCM given to patient to take home
Patient happy about CCM
CCM consent: will discuss at next visit
CCM consent - to be signed next week
Patient said she will sign the CCM consent when home from hospital
Not sure about CCM consent
Patient not ready to consent to CCM
Told patient to ask daughter about CCM consent
Son asked about CCM enrollment
Patient identified for CCM enrollment
CCM outreach call 1, no consent yet
CCM enrolment visit
Scheduled for CCM enrollment
Needs annual CCM consent
Physician approved patient for CCM
CCM authorized by insurance
Payer approved CCM
Patient agreed with treatment plan; CCM mentioned
Agreed to follow up on CCM in 2 weeks
Patient accepted the appointment. CCM flyer given.
Signed up for portal, CCM discussed
Patient participates in cardiac rehab; CCM offered
Participating in PT. CCM brochure given
Enrolled in Medicare Advantage; CCM offered
Patient enrolled in RPM, CCM discussed
Patient agrees that CCM could help
Patient consents to lab work, CCM info given
Consented for colonoscopy. CCM offered.
"""
